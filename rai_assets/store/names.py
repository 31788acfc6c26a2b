"""The grammar of repository, branch, tag and object names: narrower than git's and lakeFS's, so that both accept it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rai_assets.store.errors import InvalidPath, InvalidRef

DEFAULT_BRANCH = "main"
RESERVED_PREFIXES = ("run-", "tx-", "results-")
RESERVED_NAMES = frozenset({"champion", "production"})
# Branches of one piece of work: what was refused stays there to be looked at, for so long.
TRANSIENT_PREFIXES = ("run-", "tx-")
TRANSIENT_DAYS = 30

_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_COMMIT = re.compile(r"[0-9a-f]{8,64}")
_REF = re.compile(r"(?P<name>[^~]+)(?:~(?P<steps>[0-9]{1,9}))?")
_MAX_NAME = 200  # characters: a ref is a file, and a file name has 255 bytes
_MAX_PATH = 1024  # bytes: lakeFS's limit


def reserved(name: str) -> bool:
    """True for branch names that only the product writes; a data branch may not take them."""
    return name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES)


def check_repository(name: str) -> str:
    """Return `name` if it can name a repository.

    Raises:
        InvalidRef: It cannot.
    """
    if not _REPOSITORY.fullmatch(name):
        raise InvalidRef(
            f"{name!r} is no repository name", fix="use 3 to 63 of a-z, 0-9 and '-', not starting with '-'"
        )
    return name


def check_branch(name: str) -> str:
    """Return `name` if it can name a branch.

    Raises:
        InvalidRef: It cannot.
    """
    if len(name) > _MAX_NAME or not _BRANCH.fullmatch(name):
        raise InvalidRef(
            f"{name!r} is no branch name",
            fix=f"use up to {_MAX_NAME} ASCII letters, digits, '_' and '-', not starting with '-'",
        )
    return name


def check_patterns(patterns: Sequence[str]) -> None:
    """Make sure that each pattern, with `*`, can match a branch: another would protect nothing, silently.

    Raises:
        InvalidRef: One cannot.
    """
    for pattern in patterns:
        check_branch(pattern.replace("*", "x"))


def check_tag(name: str) -> str:
    """Return `name` if it can name a tag.

    Raises:
        InvalidRef: It cannot.
    """
    fits = len(name) <= _MAX_NAME and _TAG.fullmatch(name)
    if not fits or ".." in name or name.endswith((".", ".lock")):
        raise InvalidRef(
            f"{name!r} is no tag name",
            fix=f"use up to {_MAX_NAME} ASCII letters, digits, '_', '-' and single inner dots, not ending in '.lock'",
        )
    return name


def is_commit(text: str) -> bool:
    """True for what can be a full commit id or a prefix of one (8 lower-case hexadecimal digits or more)."""
    return _COMMIT.fullmatch(text) is not None


def parse_ref(ref: str) -> tuple[str, int]:
    """Split `name~N` into the name of a branch, tag or commit and the number of first parents to step back.

    Raises:
        InvalidRef: The text is no ref.
    """
    match = _REF.fullmatch(ref)
    if match is None:
        raise InvalidRef(f"{ref!r} names no commit", fix="use a branch, a tag, a commit id, or one of these with ~N")
    return check_tag(match["name"]), int(match["steps"] or 0)


def check_path(path: str) -> str:
    """Return `path` if it can name an object.

    Raises:
        InvalidPath: It cannot.
    """
    reason = _path_fault(path)
    if reason:
        raise InvalidPath(f"{path!r} is no object path: {reason}", fix="use names separated by single slashes")
    return path


def _path_fault(path: str) -> str:
    if not path:
        return "it is empty"
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if size > _MAX_PATH:
        return f"it has {size} bytes, more than {_MAX_PATH}"
    segments = path.split("/")
    if "" in segments:
        return "it starts or ends with a slash, or has two in a row"
    if any(segment in (".", "..") or segment.lower() == ".git" for segment in segments):
        return "'.', '..' and '.git' are not allowed as names"
    if not path.isprintable() and any(unicodedata.category(character) == "Cc" for character in path):
        return "it holds a control character"
    if segments[0] == "_lakefs_actions":
        return "lakeFS reads that folder as its own configuration"
    return ""
