"""Conformance, part 5: objects and garbage (cases 31-34)."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from rai_assets.store.protocol import AlreadyExists, ChangeSet, NotFound, VersionedRepository
from rai_assets_tests.store.backends import BACKENDS
from rai_assets_tests.store.saying import content, read, write

NOW = timedelta(0)


@pytest.mark.parametrize(
    "path", ["zero", "ünï/cödé 日本", "a b", "a%20b", "a+b", "a?b#c&d=e", "a\\b", "'\"<>", "d/" * 200 + "x"]
)
def test_31_keys_that_need_care(repository: VersionedRepository, path: str):
    repository.commit("main", ChangeSet().put(path, b"", "text/plain"), "m")
    info = repository.stat("main", path)
    assert (info.path, info.size, info.content_type, info.is_prefix) == (path, 0, "text/plain", False)
    assert info.sha256 == hashlib.sha256(b"").hexdigest()
    assert read(repository, "main", path) == ""
    assert [item.path for item in repository.list_objects("main")] == [path]


def test_31_user_metadata_come_back(repository: VersionedRepository):
    metadata = {"Ünit": "€", "empty": "", "rows": "10\n20"}
    repository.commit("main", ChangeSet().put("a", b"12", "text/csv", metadata), "m")
    assert repository.stat("main", "a").metadata == metadata
    assert next(repository.list_objects("main")) == repository.stat("main", "a")


def test_31_parts_of_an_object_can_be_read(repository: VersionedRepository):
    repository.commit("main", ChangeSet().put("a", bytes(range(256)) * 8), "m")
    with repository.open("main", "a") as stream:
        stream.seek(250)
        assert stream.read(10) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
        stream.seek(-1, os.SEEK_END)
        assert stream.read() == b"\xff"


def test_31_what_is_not_there(repository: VersionedRepository):
    write(repository, "main", {"a/b": "1"})
    assert list(repository.list_objects("main", "nothing/")) == []
    for path in ("nothing", "a", "a/b/c"):
        for call in (repository.open, repository.stat):
            with pytest.raises(NotFound, match="no object"):
                call("main", path)


def test_31_sources_of_every_kind(repository: VersionedRepository, tmp_path: Path):
    file = tmp_path / "file"
    file.write_bytes(b"from a file")
    stream = io.BytesIO(b"from a stream")
    repository.commit("main", ChangeSet().put("a", b"bytes").put("b", file).put("c", stream).put("d", file), "m")
    assert content(repository, "main") == {"a": "bytes", "b": "from a file", "c": "from a stream", "d": "from a file"}
    assert not stream.closed
    assert file.exists()


def test_31_an_adopted_file_is_given_away(repository: VersionedRepository, tmp_path: Path):
    with repository.scratch() as folder:
        for name in ("a", "b"):
            (folder / name).write_bytes(b"big")
        repository.commit("main", ChangeSet().adopt("a", folder / "a").adopt("b", folder / "b"), "m")
    assert not folder.exists()
    assert content(repository, "main") == {"a": "big", "b": "big"}


def test_31_download_checks_the_digest(repository: VersionedRepository, tmp_path: Path):
    write(repository, "main", {"a": "content"})
    info = repository.download("main", "a", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"
    assert info == repository.stat("main", "a")
    with pytest.raises(NotFound):
        repository.download("main", "b", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["copy"]


def test_31_the_tree_digest_is_what_sha256sum_prints(repository: VersionedRepository, tmp_path: Path):
    files = {"t/b/x.csv": "1,2\n", "t/a.csv": "3\n", "other": "4"}
    write(repository, "main", files)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    printed = subprocess.run(
        ["sha256sum", "t/a.csv", "t/b/x.csv"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert repository.tree_digest("main", "t/") == hashlib.sha256(printed).hexdigest()
    assert repository.tree_digest("main", "nothing/") == hashlib.sha256(b"").hexdigest()


def test_32_if_absent_writes_only_where_nothing_is(repository: VersionedRepository):
    repository.commit("main", ChangeSet().put("a", b"1", if_absent=True), "m")
    with pytest.raises(AlreadyExists):
        repository.commit("main", ChangeSet().put("b", b"2").put("a", b"1", if_absent=True), "m")
    assert content(repository, "main") == {"a": "1"}


MEMORY = """
import hashlib, resource, sys
from pathlib import Path
from rai_assets.store.protocol import ChangeSet
from rai_assets_tests.store.backends import BACKENDS

size = int(sys.argv[3])

class Zeros:
    left = size
    def read(self, count=-1):
        count = min(count, self.left)
        self.left -= count
        return bytes(count)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

repository = BACKENDS[sys.argv[1]](sys.argv[2])
before = peak()
Path(sys.argv[2]).mkdir(exist_ok=True)
repository.commit("main", ChangeSet().put("big", Zeros()), "m")
repository.download("main", "big", Path(sys.argv[2]) / "copy")
assert (Path(sys.argv[2]) / "copy").stat().st_size == size == repository.stat("main", "big").size
print(peak() - before)
"""


@pytest.mark.parametrize("mebibytes", [160, pytest.param(4096, marks=pytest.mark.nightly)])
def test_33_big_objects_in_constant_memory(backend: str, location: str, mebibytes: int):
    """Up and down again, with less than 100 MiB beyond what the process has at its start."""
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, backend, location, str(mebibytes << 20)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) < 100


@pytest.fixture
def sweeping(sweeping_backend: str, location: str) -> VersionedRepository:
    """A fresh repository of an engine that sweeps contents itself."""
    return BACKENDS[sweeping_backend](location)


def test_34_what_a_branch_or_tag_leads_to_survives(repository: VersionedRepository):
    first = write(repository, "main", {"a": "1"}).id
    write(repository, "main", {"a": "2"})
    repository.create_branch("tagged", "main")
    tagged = write(repository, "tagged", {"t": "tagged"}).id
    repository.create_tag("v1", "tagged")
    repository.delete_branch("tagged")
    kept = repository.collect_garbage(NOW)
    assert (kept.branches, kept.objects, kept.leftovers) == ((), 0, 0)
    assert read(repository, first, "a") == "1"
    assert read(repository, tagged, "t") == "tagged"
    assert content(repository, "main") == {"a": "2"}


def test_34_what_nothing_leads_to_goes_after_its_grace(sweeping: VersionedRepository):
    write(sweeping, "main", {"a": "2"})
    sweeping.create_branch("gone", "main")
    gone = write(sweeping, "gone", {"g": "gone", "same": "2"}).id
    sweeping.delete_branch("gone")

    kept = sweeping.collect_garbage(timedelta(hours=1))
    assert (kept.objects, kept.leftovers) == (0, 0)
    assert read(sweeping, gone, "g") == "gone"

    swept = sweeping.collect_garbage(NOW)
    assert (swept.objects, swept.bytes) == (1, 4)
    with pytest.raises(NotFound):
        sweeping.resolve(gone)
    assert sweeping.collect_garbage(NOW).objects == 0
    write(sweeping, "main", {"g": "gone"})
    assert read(sweeping, "main", "g") == "gone"


def test_34_a_sweep_during_an_upload_takes_nothing_from_it(repository: VersionedRepository):
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            repository.collect_garbage(timedelta(hours=1))
            return super().read(size)

    write(repository, "main", {"a": "old"})
    write(repository, "main", {"a": None})
    repository.commit("main", ChangeSet().put("early", b"old").put("late", Slow(b"late")), "m")
    assert content(repository, "main") == {"early": "old", "late": "late"}


def test_34_expired_run_branches_go(repository: VersionedRepository):
    for name in ("run-1", "tx-1", "results-main", "work"):
        repository.create_branch(name, "main")
        write(repository, name, {"a": name})
    assert repository.collect_garbage(expire_runs=timedelta(days=1)).branches == ()
    assert repository.collect_garbage(expire_runs=NOW, dry_run=True).branches == ("run-1", "tx-1")
    assert list(repository.branches()) == ["main", "results-main", "run-1", "tx-1", "work"]
    assert repository.collect_garbage(expire_runs=NOW).branches == ("run-1", "tx-1")
    assert list(repository.branches()) == ["main", "results-main", "work"]


def test_34_a_run_that_has_just_begun_on_old_data_keeps_its_branch(repository: VersionedRepository):
    repository.create_branch("run-1", "main")
    assert repository.collect_garbage(expire_runs=NOW).branches == ()
    write(repository, "run-1", {"a": "1"})
    assert repository.collect_garbage(expire_runs=NOW).branches == ("run-1",)


def test_34_a_dry_run_tells_what_a_sweep_would_do_and_does_nothing(sweeping: VersionedRepository):
    write(sweeping, "main", {"a": "2"})
    sweeping.create_branch("run-1", "main")
    write(sweeping, "run-1", {"g": "gone", "same": "2"})
    told = sweeping.collect_garbage(NOW, expire_runs=NOW, dry_run=True)
    assert (told.branches, told.objects, told.bytes) == (("run-1",), 1, 4)
    assert content(sweeping, "run-1") == {"a": "2", "g": "gone", "same": "2"}
    assert sweeping.collect_garbage(NOW, expire_runs=NOW) == told
