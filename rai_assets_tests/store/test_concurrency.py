"""Many processes on one repository: case 26, no update is lost, and nobody sees half a commit."""

from __future__ import annotations

import threading

import pytest

from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.backends import BACKENDS
from rai_assets_tests.store.processes import PROCESSES, run
from rai_assets_tests.store.saying import content, write

# Not on the stand-in, which would test the engine below it once more.
pytestmark = pytest.mark.parametrize("backend", ["embedded", "lakefs"], indirect=True)

MANY = pytest.param(60, marks=pytest.mark.nightly)


def _expected(count: int) -> dict[str, str]:
    return {f"p{number}/f{step}": f"{number} {step}" for number in range(PROCESSES) for step in range(count)}


@pytest.mark.parametrize("count", [4, MANY])
def test_26_every_commit_of_every_process_is_kept(
    repository: VersionedRepository, backend: str, location: str, count: int
):
    said = run("commits", backend, location, count)
    made = [commit for lines in said for commit in lines]
    assert len(set(made)) == PROCESSES * count
    assert {commit.id for commit in repository.log("main")} >= set(made)
    assert content(repository, "main") == _expected(count)


@pytest.mark.parametrize("count", [3, MANY])
def test_26_every_merge_of_every_process_is_kept(
    repository: VersionedRepository, backend: str, location: str, count: int
):
    said = run("merges", backend, location, count)
    made = [commit for lines in said for commit in lines]
    assert len(set(made)) == PROCESSES * count
    assert {commit.id for commit in repository.log("main", first_parent=True)} >= set(made)
    assert content(repository, "main") == _expected(count)
    assert list(repository.branches()) == ["main"]


def test_26_one_source_is_merged_once(repository: VersionedRepository, backend: str, location: str):
    said = [line for lines in run("contest", backend, location, 1) for line in lines]
    assert sorted(said)[1:] == ["no changes"] * (PROCESSES - 1)
    assert repository.resolve("main") == sorted(said)[0]


@pytest.mark.parametrize("count", [6, MANY])
def test_26_readers_see_whole_commits_while_others_write_and_sweep(
    repository: VersionedRepository, backend: str, location: str, count: int
):
    write(repository, "main", {"pair/a": "0", "pair/b": "0"})
    said = run("mixed", backend, location, count)
    assert [len(lines) for lines in said] == [0, 0, 0, 0, count, count, count, count]
    assert len(list(repository.log("main"))) == 2 + 4 * count


def test_26_threads_share_one_object(backend: str, location: str):
    repository = BACKENDS[backend](location)
    faults: list[BaseException] = []

    def act(number: int) -> None:
        try:
            for step in range(2):
                files = {f"p{number}/f{step}": f"{number} {step}", **{f"q{number}/{step}/{n}": "x" for n in range(110)}}
                write(repository, "main", files)
                assert content(repository, "main")[f"p{number}/f{step}"] == f"{number} {step}"
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(content(repository, "main")) == 3 * 2 * 111
