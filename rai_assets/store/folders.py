"""One folder as a git tree: its records read, compared and changed, without a look at those that stay.

A record is a mode in octal, a space, a name, a zero byte and 20 bytes of digest. The digest may hold any byte, so the
end of a record is known only from its beginning.
"""

from __future__ import annotations

import re
import stat
from bisect import bisect_left
from collections.abc import Iterable
from functools import cached_property
from typing import cast

from dulwich.objects import ObjectID, parse_tree

FILE_MODE, FOLDER_MODE = 0o100644, stat.S_IFDIR
Entry = tuple[bytes, int, ObjectID]
"""Name, mode and id of what lies in a folder."""
_RECORD = re.compile(rb"[0-7]+ [^\0]+\0.{20}", re.DOTALL)
_RECORDS = re.compile(rb"(?:[0-7]+ [^\0]+\0.{20})*+", re.DOTALL)
_DIGEST = 20  # bytes
_STEP = 256  # bytes compared first; twice as many each time that they are the same
_MANY = 1000  # differences stepped to one by one; what follows is compared as sets


class Folder:
    """The entries of one folder, to be looked up and changed.

    Args:
        raw: The bytes of git's tree.

    Attributes:
        raw: The same, whatever was changed since.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._changed: dict[bytes, bytes] = {}

    @cached_property
    def _records(self) -> list[bytes]:
        return _split(self.raw)

    def get(self, name: bytes) -> Entry | None:
        """The entry of that name now, be it an object or a folder, or None.

        Raises:
            ValueError: The bytes are not a tree's.
        """
        record = self._changed.get(name)
        if record is None:
            place = self._place(name)
            return None if place is None else _entry(self._records[place])
        return _entry(record) if record else None

    def set(self, name: bytes, mode: int, identity: ObjectID) -> None:
        """Put an entry in place of one of that name."""
        self._changed[name] = b"%o %b\0%b" % (mode, name, bytes.fromhex(identity.decode()))

    def remove(self, name: bytes) -> None:
        """Take away the entry of that name."""
        self._changed[name] = b""

    def encode(self) -> bytes:
        """The bytes of git's tree."""
        cuts: list[tuple[int, int, bytes, bytes]] = []
        for name, record in self._changed.items():
            place = self._place(name)
            if place is not None:
                cuts.append((place, place + 1, b"", b""))
            if record:
                start = bisect_left(self._records, _key(record), key=_key)
                cuts.append((start, start, _key(record), record))
        pieces, at = [], 0
        for start, end, _, record in sorted(cuts):
            pieces += [*self._records[at:start], record]
            at = end
        return b"".join([*pieces, *self._records[at:]])

    def _place(self, name: bytes) -> int | None:
        for key in (name, name + b"/"):
            place = bisect_left(self._records, key, key=_key)
            if place < len(self._records) and _name(self._records[place]) == name:
                return place
        return None


def entries(raw: bytes) -> list[Entry]:
    """What lies in a folder, in git's order: that of whole paths, byte by byte."""
    # dulwich's compiled function returns a list; its twin in Python is a generator.
    found = parse_tree(raw, _DIGEST)
    return cast("list[Entry]", found if isinstance(found, list) else list(found))


def differing(before: bytes, after: bytes) -> tuple[dict[bytes, Entry], dict[bytes, Entry]]:
    """Entries, by name, that only the first of two trees has, and those that only the second one has.

    Raises:
        ValueError: The bytes are not a tree's.
    """
    old: list[bytes] = []
    new: list[bytes] = []
    here = there = 0
    while len(old) + len(new) < _MANY:
        same = _same(before, here, after, there)
        here, there = here + same, there + same
        if here == len(before) or there == len(after):
            break
        left, right = _first(before, here), _first(after, there)
        left_key, right_key = _key(left), _key(right)
        if left_key <= right_key:
            here += len(left)
        if right_key <= left_key:
            there += len(right)
        if left != right:
            old += [left] if left_key <= right_key else []
            new += [right] if right_key <= left_key else []
    rest, other = set(_split(before[here:])), set(_split(after[there:]))
    return _by_name([*old, *(rest - other)]), _by_name([*new, *(other - rest)])


def _same(before: bytes, here: int, after: bytes, there: int) -> int:
    """Bytes of whole records that are the same from two places on: some of them, and all if nothing follows."""
    left, size = len(before) - here, _STEP
    while before[here : here + size] == after[there : there + size]:
        if size >= left:
            return left
        size *= 2
    known = _RECORDS.match(before, here, here + size // 2) if size > _STEP else None
    return known.end() - here if known else 0


def _split(raw: bytes) -> list[bytes]:
    records = _RECORD.findall(raw)
    if sum(map(len, records)) != len(raw):
        raise ValueError("these are not the records of a tree")
    return records


def _first(raw: bytes, at: int) -> bytes:
    found = _RECORD.match(raw, at)
    if found is None:
        raise ValueError("these are not the records of a tree")
    return found[0]


def _by_name(records: Iterable[bytes]) -> dict[bytes, Entry]:
    return {_name(record): _entry(record) for record in records}


def _key(record: bytes) -> bytes:
    """What git sorts a folder by."""
    mode, _, name = record[: -_DIGEST - 1].partition(b" ")
    return name + b"/" if mode == b"40000" else name


def _name(record: bytes) -> bytes:
    return record[record.index(b" ") + 1 : -_DIGEST - 1]


def _entry(record: bytes) -> Entry:
    mode, _, name = record[: -_DIGEST - 1].partition(b" ")
    return name, int(mode, 8), ObjectID(record[-_DIGEST:].hex().encode())
