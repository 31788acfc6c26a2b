"""What a lakeFS server's refusals and silences mean, in the store's words.

Most statuses mean several things, so they are read together with the operation and the message. A 500 can be a
malformed name as well as a passing trouble: only the messages known to pass are worth another try.
"""

from __future__ import annotations

import json
import re
from typing import Literal

from rai_assets.errors import RaiError
from rai_assets.store.errors import (
    AlreadyExists,
    BackendUnavailable,
    DirtyBranch,
    HookRejected,
    InvalidRef,
    MergeConflict,
    NoChanges,
    NotFound,
    ProtectedBranch,
)

Operation = Literal["read", "write", "upload", "merge"]
"""What was asked for; a `merge` is everything that brings two histories together, reverts included."""

_PASSING = ("predicate failed", "branch is currently locked", "too many attempts")
_CREDENTIALS = "check RAI_LAKEFS_ACCESS_KEY_ID and RAI_LAKEFS_SECRET_ACCESS_KEY, and that RAI_STORE names their server"
_HOOK_RUN = re.compile(r"run id '([^']*)'")


class Unanswered(BackendUnavailable):
    """The question was sent and no answer came: what it asked for may have been done."""


def message_of(body: object) -> str:
    """The server's own words in the body of an answer."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:300]


def refusal(operation: Operation, status: int, message: str, *, subject: str, where: str) -> RaiError:
    """The error that an answer stands for.

    Args:
        operation: What was asked for.
        status: HTTP status.
        message: The server's words.
        subject: What the question was about: `branch 'main'`.
        where: The endpoint and the repository.
    """
    lowered = message.lower()
    if status in (429, 503) or any(words in lowered for words in _PASSING):
        return BackendUnavailable(f"lakeFS is too busy: {message}", retryable=True, where=where, fix="try again")
    if status == 401:
        return BackendUnavailable("lakeFS does not know these credentials", where=where, fix=_CREDENTIALS)
    if status == 403:
        return _forbidden(lowered, message, subject, where)
    if status == 404 and "invalid api endpoint" not in lowered:
        return NotFound(f"there is no {subject}", where=where, fix="look for the name in lakeFS, or by `rai log`")
    if status == 409:
        if operation == "merge":
            return MergeConflict([], where=where)
        return AlreadyExists(f"the name of {subject} is taken: {message}", where=where, fix="choose another name")
    if status == 412:
        return _precondition(operation, message, subject, where)
    if status == 400 and "no changes" in lowered:
        return NoChanges(f"{subject} holds this content already", where=where, fix="nothing is left to be done")
    if status == 400 and "dirty branch" in lowered:
        return DirtyBranch(
            f"{subject} has uncommitted changes of another program", where=where, fix="commit or reset them in lakeFS"
        )
    if status == 400:
        return InvalidRef(f"lakeFS refuses {subject}: {message}", where=where, fix="give a name that lakeFS accepts")
    if status == 410:
        return BackendUnavailable(
            f"the content of {subject} is gone from lakeFS's storage", where=where, fix="restore that storage"
        )
    return BackendUnavailable(f"lakeFS answered {status}: {message}", where=where, fix="look into the server's log")


def silence(fault: Exception, endpoint: str) -> BackendUnavailable:
    """The error for a server that cannot be reached or does not answer.

    Args:
        fault: What urllib3 raised.
        endpoint: The server's address.
    """
    from urllib3 import exceptions

    reason = getattr(fault, "reason", None) or fault
    if isinstance(reason, exceptions.SSLError):
        return BackendUnavailable(
            f"the server's certificate is not trusted: {reason}",
            where=endpoint,
            fix="name the file of its certificate authority in RAI_LAKEFS_CA_FILE; http:// is no https://",
        )
    if isinstance(reason, exceptions.NameResolutionError):
        return BackendUnavailable(
            "there is no host of this name", where=endpoint, fix="correct RAI_STORE, or the machine's name service"
        )
    if isinstance(reason, exceptions.NewConnectionError | exceptions.ConnectTimeoutError):
        return BackendUnavailable(
            "no lakeFS server answers here",
            retryable=True,
            where=endpoint,
            fix="start the server, or correct RAI_STORE",
        )
    return Unanswered(
        f"the lakeFS server stopped answering: {reason}",
        retryable=True,
        where=endpoint,
        fix="try again; a slow server may need a longer RAI_LAKEFS_TIMEOUT",
    )


def not_lakefs(endpoint: str) -> BackendUnavailable:
    """The error for a server that answers, but not as lakeFS does."""
    return BackendUnavailable(
        "a server answers here, but it is not lakeFS", where=endpoint, fix="set RAI_STORE to lakeFS's own address"
    )


def _forbidden(lowered: str, message: str, subject: str, where: str) -> RaiError:
    if "protected branch" in lowered or "default branch" in lowered:
        fix = "commit to another branch and merge it, or have the rule lifted in lakeFS"
        return ProtectedBranch(f"lakeFS protects {subject}: {message}", where=where, fix=fix)
    if "read-only" in lowered:
        return BackendUnavailable("the repository is read-only", where=where, fix="ask lakeFS's administrator")
    return BackendUnavailable(
        f"these credentials may not do this to {subject}: {message}",
        where=where,
        fix="ask lakeFS's administrator for the rights to read and write this repository",
    )


def _precondition(operation: Operation, message: str, subject: str, where: str) -> RaiError:
    if operation == "upload":
        return AlreadyExists(f"there is {subject} already", where=where, fix="choose another path")
    run = _HOOK_RUN.search(message)
    return HookRejected(message, run_id=run[1] if run else "unknown", where=where, fix="look at this run in lakeFS")
