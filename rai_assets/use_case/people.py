"""Who is at work, and a person's word as it is kept."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime


def person() -> str:
    """Who is at work: `RAI_USER`, or the user of the operating system."""
    try:
        return os.environ.get("RAI_USER", "").strip() or getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in containers
        return f"user {os.getuid()}"


def word(reason: str) -> dict[str, str]:
    """A person's word: who gave it (`by`), the `reason`, and the `time`, ISO, UTC."""
    return {"by": person(), "reason": reason.strip(), "time": datetime.now(UTC).isoformat(timespec="seconds")}
