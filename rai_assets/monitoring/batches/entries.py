"""What the ledger of arrivals tells: a file that was taken, a batch that waits, what became of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from rai_assets.provenance import digest_of

State = Literal["pending", "accepted", "quarantined"]
Taking = Literal["new", "corrected", "same bytes"]


@dataclass(frozen=True)
class Taken:
    """A file whose bytes were taken.

    Attributes:
        path: Its place in the inbox.
        size: Bytes.
        modified: Time of the last change, seconds since 1970.
        sha256: Digest of its bytes.
        named_by: The table whose rows name it, of a picture or a recording; empty for a table.
    """

    path: str
    size: int
    modified: float
    sha256: str
    named_by: str = ""


@dataclass(frozen=True)
class Request:
    """A batch that waits for its audit.

    Attributes:
        key: The batch.
        digest: Over the files that it is made of.
        number: Rises with everything new that is asked of the batch.
        attempts: Runs that did not end well since it was asked for.
    """

    key: str
    digest: str
    number: int
    attempts: int = 0

    @property
    def run_key(self) -> str:
        """What names one run of the batch on these bytes."""
        return f"{self.key}:{self.digest[:16]}:{self.number}"


@dataclass(frozen=True)
class Entry:
    """What the ledger says of a batch.

    Attributes:
        key: The batch.
        state: `pending`, `accepted` or `quarantined`.
        revision: Of its rows on `production`; None before the first.
        branch: The run branch with the refused rows.
        reason: Why it is in quarantine, or by whose word it is not.
        since: When it came into this state, seconds since 1970.
        attempts: Runs that ended without a verdict since it was asked for.
    """

    key: str
    state: State
    revision: int | None
    branch: str | None
    reason: str | None
    since: float
    attempts: int

    def as_json(self) -> dict[str, Any]:
        """The fields as a flat JSON object; `since` is ISO 8601, UTC."""
        return {**vars(self), "since": datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")}


def sources_digest(sources: Iterable[Taken]) -> str:
    """What identifies a batch's content: SHA-256 (hex) over its files' paths and digests."""
    return digest_of([[source.path, source.sha256] for source in sources])
