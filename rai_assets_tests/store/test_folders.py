"""Git's trees, read and changed record by record: always what dulwich and plain dictionaries make of them."""

from __future__ import annotations

import random
import time
from hashlib import sha1

import pytest
from dulwich.objects import ObjectID, Tree
from hypothesis import example, given
from hypothesis import strategies as st

from rai_assets.store import folders
from rai_assets.store.folders import FILE_MODE, FOLDER_MODE, Entry, Folder, differing, entries

Content = dict[bytes, tuple[int, bytes]]
# Names that sort elsewhere as a folder than as an object, and one that reads like the beginning of a record.
NAMES = st.one_of(
    st.sampled_from([b"a", b"a.b", b"a-", b"a0", b"100644 a", b"40000 b"]), st.binary(min_size=1, max_size=4)
).filter(lambda name: not {b"/", b"\0"} & {bytes([byte]) for byte in name})
# Digests that hold what ends or begins a record.
DIGESTS = st.sampled_from([bytes(20), b"100644 a\0".ljust(20, b"1"), b" " * 20, b"\n" * 20, bytes(range(20))])
CONTENTS = st.dictionaries(NAMES, st.tuples(st.sampled_from([FILE_MODE, FOLDER_MODE]), DIGESTS), max_size=12)


def raw(content: Content) -> bytes:
    tree = Tree()
    for name, (mode, digest) in content.items():
        tree.add(name, mode, ObjectID(digest.hex().encode()))
    return tree.as_raw_string()


def entry(name: bytes, mode: int, digest: bytes) -> Entry:
    return name, mode, ObjectID(digest.hex().encode())


def only(first: Content, second: Content) -> dict[bytes, Entry]:
    """What only the first of two folders has, found by looking at everything."""
    return {name: entry(name, *item) for name, item in first.items() if second.get(name) != item}


@given(CONTENTS, CONTENTS)
@example({b"a": (FILE_MODE, bytes(20))}, {b"a": (FOLDER_MODE, bytes(20)), b"a.b": (FILE_MODE, bytes(20))})
def test_two_small_folders_differ_where_dictionaries_do(before: Content, after: Content):
    assert differing(raw(before), raw(after)) == (only(before, after), only(after, before))


@pytest.mark.parametrize("step", [1, 64, 256])
@pytest.mark.parametrize("many", [3, 1000])
@pytest.mark.parametrize("changes", [0, 1, 7, 600])
def test_two_large_folders_differ_where_dictionaries_do(
    monkeypatch: pytest.MonkeyPatch, step: int, many: int, changes: int
):
    """Wherever the changes lie, however far the runs between them reach, and when there are too many to step to."""
    monkeypatch.setattr(folders, "_STEP", step)
    monkeypatch.setattr(folders, "_MANY", many)
    for seed in range(4):
        chance = random.Random(seed)
        before: Content = {b"f%d" % number: (FILE_MODE, chance.randbytes(20)) for number in range(800)}
        after = dict(before)
        for name in [*chance.sample(sorted(before), changes), *([b"f0", b"f99"] if changes else [])]:
            kind = chance.randrange(3)
            if kind:
                after[name] = (chance.choice([FILE_MODE, FOLDER_MODE]), chance.randbytes(20))
            else:
                del after[name]
                after[name + b"x"] = before[name]
        assert differing(raw(before), raw(after)) == (only(before, after), only(after, before))


@given(CONTENTS, st.dictionaries(NAMES, st.one_of(st.none(), st.tuples(st.just(FOLDER_MODE), DIGESTS)), max_size=6))
def test_a_changed_folder_has_the_bytes_that_git_gives_it(content: Content, changes: dict):
    folder, expected = Folder(raw(content)), dict(content)
    assert entries(raw(content)) == [folder.get(item.path) for item in Tree.from_string(raw(content)).iteritems()]
    for name, item in changes.items():
        if item is None:
            folder.remove(name)
            expected.pop(name, None)
            assert folder.get(name) is None
        else:
            folder.set(name, item[0], ObjectID(item[1].hex().encode()))
            expected[name] = item
            assert folder.get(name) == entry(name, *item)
    assert folder.encode() == raw(expected)


@pytest.mark.parametrize("cut", [1, 10, 26])
def test_half_a_record_is_no_tree(cut: int):
    whole = raw({b"a": (FILE_MODE, bytes(20)), b"b": (FILE_MODE, bytes(20))})
    other = raw({b"a": (FILE_MODE, bytes(20)), b"c": (FILE_MODE, bytes(20))})
    for act in (
        lambda damaged: Folder(damaged).get(b"a"),
        lambda damaged: differing(damaged, other),
        lambda damaged: differing(other, damaged),
    ):
        with pytest.raises(ValueError, match="not the records of a tree"):
            act(whole[:-cut])


def test_one_difference_among_100_000_is_found_quickly():
    """A generous limit: reading every record of both would take several times as long."""
    content: Content = {b"f%d" % number: (FILE_MODE, sha1(b"%d" % number).digest()) for number in range(100_000)}
    before, after = raw(content), raw({**content, b"f77777": (FILE_MODE, bytes(20))})
    began = time.process_time()
    assert [list(side) for side in differing(before, after)] == [[b"f77777"], [b"f77777"]]
    assert time.process_time() - began < 0.1
