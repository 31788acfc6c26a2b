"""Writers in processes of their own, for tests of concurrency and of sudden death.

Run as `python -m rai_assets_tests.store.processes WHAT ENGINE LOCATION COUNT SEED`, it prints one JSON value. That
process has no threads, so it may fork.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from rai_assets.store import git_layer, ledger
from rai_assets.store.errors import MergeConflict, NoChanges
from rai_assets.store.gate import merge_data
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.store.backends import BACKENDS
from rai_assets_tests.store.saying import read

PROCESSES = 8


def run(what: str, backend: str, location: str, count: int, seed: int = 0) -> Any:
    """Run one of the scenes below in a fresh process and return what it prints."""
    command = [sys.executable, "-m", __name__, what, backend, location, str(count), str(seed)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=500).stdout)


def commits(backend: str, location: str, count: int, seed: int) -> list[list[str]]:
    """`PROCESSES` writers make `count` commits each, all on `main`."""

    def write(number: int) -> Iterator[str]:
        repository = BACKENDS[backend](location)
        for step in range(count):
            changes = ChangeSet().put(f"p{number}/f{step}", f"{number} {step}".encode())
            yield repository.commit("main", changes, f"{number} {step}").id

    return _together(write)


def merges(backend: str, location: str, count: int, seed: int) -> list[list[str]]:
    """`PROCESSES` writers each merge `count` branches of their own into `main`."""

    def write(number: int) -> Iterator[str]:
        repository = BACKENDS[backend](location)
        for step in range(count):
            branch = f"run-{number}-{step}"
            repository.create_branch(branch, "main")
            repository.commit(branch, ChangeSet().put(f"p{number}/f{step}", f"{number} {step}".encode()), "work")
            yield repository.merge(branch, "main").commit.id
            repository.delete_branch(branch)

    return _together(write)


def contest(backend: str, location: str, count: int, seed: int) -> list[list[str]]:
    """`PROCESSES` writers merge one and the same source at once: one does it, the others find nothing to do."""
    repository = BACKENDS[backend](location)
    repository.create_branch("work", "main")
    repository.commit("work", ChangeSet().put("a", b"1"), "work")

    def write(number: int) -> Iterator[str]:
        try:
            yield BACKENDS[backend](location).merge("work", "main").commit.id
        except NoChanges:
            yield "no changes"

    return _together(write)


def gated(backend: str, location: str, count: int, seed: int) -> list[list[str]]:
    """The first `count` writers each bring a file of their own to `shared` through the gate, all at once."""

    def write(number: int) -> Iterator[str]:
        repository = BACKENDS[backend](location)
        if number >= count:
            return
        repository.create_branch(f"trial{number}", "main")
        repository.commit(f"trial{number}", ChangeSet().put(f"dataset/p{number}", f"{number}".encode()), "work")

        def audit(commit: str) -> None:
            digest = ledger.data_digest(repository, commit)
            ledger.record(repository, "shared", digest, "contract", {"holds": True}, run_id=f"r{number}")

        place = (repository, f"trial{number}", "shared", [])
        yield merge_data(*place, run_id=f"r{number}", use_case="lending", audit=audit).id

    return _together(write)


def mixed(backend: str, location: str, count: int, seed: int) -> list[list[str]]:
    """Writers, readers that check what they see, and a sweeper, all at once."""

    def act(number: int) -> Iterator[str]:
        repository = BACKENDS[backend](location)
        # The embedded engine's: every sweep packs.
        git_layer.LOOSE_LIMIT = 3
        for step in range(count):
            if number == 0:
                repository.collect_garbage(timedelta(hours=1))
            elif number < 4:
                _check_pair(repository, "main")
            else:
                text = f"{number} {step}".encode()
                changes = ChangeSet().put("pair/a", text).put("pair/b", text)
                yield repository.commit("main", changes, "pair").id

    return _together(act)


def swept(backend: str, location: str, count: int, seed: int) -> list[list[str]]:
    """Writers on branches of their own, each kept by a tag or deleted, while a sweeper without any grace runs."""

    def act(number: int) -> Iterator[str]:
        repository = BACKENDS[backend](location)
        git_layer.LOOSE_LIMIT = 3
        chance = random.Random(seed + number)
        for step in range(count):
            if number < 2:
                repository.collect_garbage(timedelta(0))
                continue
            name = f"w{number}-{step}"
            repository.create_branch(name, "main")
            # The same bytes come and go: a content swept for one commit is on its way for another.
            text = str(chance.randrange(6)).encode()
            repository.commit(name, ChangeSet().put("a", text).put(f"d/{number}", text * 2), "work")
            kept = chance.random() < 0.5
            if kept:
                repository.create_tag(f"v{number}-{step}", name)
                yield f"v{number}-{step} {text.decode()}"
            repository.delete_branch(name)

    return _together(act)


def crashes(backend: str, location: str, count: int, seed: int) -> dict[str, Any]:
    """A writer is killed `count` times at random moments; after each death the store is looked at."""
    chance = random.Random(seed)
    acknowledged: list[str] = []
    survived = 0
    for turn in range(count):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _say(writer, _restless(backend, location, turn, chance.random()))
        os.close(writer)
        # Either at once, or after the first acknowledgement and a moment.
        if turn % 2:
            select.select([reader], [], [], 20)
        time.sleep(chance.random() * 0.06)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader) as stream:
            # The last line may be half written.
            said = [line[:-1] for line in stream if line.endswith("\n")]
        repository = BACKENDS[backend](location)
        _check_pair(repository, "main")
        # The next writer just works.
        acknowledged += [*said, repository.commit("main", ChangeSet().put("next", f"{turn}".encode()), "next").id]
        survived += 1
    return {"acknowledged": acknowledged, "survived": survived}


def _restless(backend: str, location: str, turn: int, seed: float) -> Iterator[str]:
    """Commits of few and of many objects, adopted files, merges and sweeps, without end."""
    chance = random.Random(seed)
    repository = BACKENDS[backend](location)
    step = 0
    while True:
        step += 1
        text = f"{turn} {step} {chance.random()}".encode()
        pair = ChangeSet().put("pair/a", text).put("pair/b", text)
        kind = chance.randrange(5)
        if kind == 0:
            for number in range(120):
                pair.put(f"many/{number}", text + str(number).encode())
            yield repository.commit("main", pair, "many").id
        elif kind == 1:
            with repository.scratch() as folder:
                (folder / "big").write_bytes(text * 20_000)
                yield repository.commit("main", pair.adopt("big", folder / "big"), "big").id
        elif kind == 2:
            branch = f"run-{turn}-{step}"
            repository.create_branch(branch, "main")
            repository.commit(branch, pair, "work")
            try:
                yield repository.merge(branch, "main").commit.id
            except MergeConflict:
                continue
            repository.delete_branch(branch)
        elif kind == 3:
            repository.collect_garbage(timedelta(hours=1))
            repository.create_tag(f"v{turn}.{step}", "main")
        else:
            yield repository.commit("main", pair, "few").id


def _check_pair(repository: VersionedRepository, ref: str) -> None:
    """Two objects that are always written together, with the same text, are seen together."""
    commit = repository.resolve(ref)
    paths = [item.path for item in repository.list_objects(commit, "pair/")]
    if paths:
        first, second = (read(repository, commit, f"pair/{name}") for name in "ab")
        if first != second or paths != ["pair/a", "pair/b"]:
            raise AssertionError(f"half a commit is visible: {first!r} {second!r}")


def _together(act: Callable[[int], Iterator[str]]) -> list[list[str]]:
    """What each of `PROCESSES` children says, started at the same moment."""
    start_reader, start_writer = os.pipe()
    readers, children = [], []
    for number in range(PROCESSES):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(start_writer)
            os.read(start_reader, 1)
            _say(writer, act(number))
        os.close(writer)
        readers.append(reader)
        children.append(child)
    os.close(start_writer)
    said = []
    for reader in readers:
        with os.fdopen(reader) as stream:
            said.append(stream.read().split("\n")[:-1])
    for child in children:
        status = os.waitpid(child, 0)[1]
        if status:
            raise AssertionError(f"a writer ended with status {status}")
    return said


def _say(writer: int, lines: Iterator[str]) -> None:
    """Write lines to a pipe and leave the process, without its parent's clean-up."""
    status = 1
    try:
        for line in lines:
            os.write(writer, f"{line}\n".encode())
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


if __name__ == "__main__":
    scenes = {"commits": commits, "merges": merges, "contest": contest, "gated": gated, "mixed": mixed, "swept": swept}
    scene = {**scenes, "crashes": crashes}[sys.argv[1]]
    sys.stdout.write(json.dumps(scene(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
