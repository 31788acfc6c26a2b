"""What the operating system refuses, said with the folder and the remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rai_assets.store.errors import BackendUnavailable


@contextmanager
def faults(place: Path) -> Iterator[None]:
    """Turn the system's refusals of what is done in a folder into errors with a fix.

    Raises:
        BackendUnavailable: No space, no permission, or a disk that fails.
    """
    try:
        yield
    except OSError as fault:
        raise BackendUnavailable(
            f"the file system refused: {fault.strerror or fault}", where=str(place), fix=_remedy(fault)
        ) from fault


def _remedy(fault: OSError) -> str:
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space on its disk; nothing was changed, so the same command can be run again"
    if fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make the folder writable for this user, or choose another one with RAI_HOME"
    return "check the disk that holds the folder, then run the same command again"
