"""Files that are whole and stay: the one place where the embedded store writes to disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_all(out: BinaryIO, data: bytes) -> None:
    """Write all of it. `out` is unbuffered, so that no write is left to its closing."""
    left = memoryview(data)
    while left:
        left = left[out.write(left) :]


@contextmanager
def writing_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Write a file of the repository durably and whole, under its lock; overwrite what a dead writer left."""
    partial = path.with_name(f"{path.name}.lock")
    try:
        with partial.open("wb", buffering=0) as out:
            yield lambda data: write_all(out, data)
            os.fsync(out.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a small file of the repository durably and whole, under its lock."""
    with writing_file(path) as write:
        write(content)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
