"""The embedded store against a plain file and against git, by the clock, on the disk that holds the folder.

A gibibyte in and out (out is checked against its digest) beside writing and flushing the same bytes to a plain file.
Many small objects in one commit, one change committed, and a merge of two sides with one change each, beside the same
steps of the `git` command line, whose processes and index are part of what its users wait for. Trees are nested (100
folders) or flat (one folder). The two sides take turns, and the quickest of their turns counts: what is slower was
waiting for other work or for pages of memory.

    python benchmarks/store.py [objects ...]     default: 10000 and 100000
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _measure import Taken, alone, line, measure

from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet

GIB, CHUNK = 1 << 30, 4 << 20
TURNS = 4
SHARE_OF_DISK, MEMORY_MIB = 0.7, 100.0
SECONDS = {"commit": 5.0, "change": 1.0, "merge": 0.2}  # the goals; a commit of more than 10,000 objects scales
NAME = "rai-benchmark"


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(dir=os.environ.get("RAI_HOME")))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def copy_flushed(source: Path, target: Path) -> None:
    with source.open("rb", 0) as stream, target.open("wb", 0) as out:
        while chunk := stream.read(CHUNK):
            out.write(chunk)
        os.fsync(out.fileno())


def gibibyte() -> dict[str, Taken]:
    """The quickest of each, in and out, ours and plain; two gibibytes lie in the folder at a time, not more."""
    with folder() as home:
        source, target = home / "source", home / "target"
        block = os.urandom(CHUNK)
        with source.open("wb", 0) as out:
            for number in range(GIB // CHUNK):
                out.write(number.to_bytes(8, "big") + block[8:])
        runs: dict[str, list[Taken]] = defaultdict(list)
        for _ in range(TURNS):
            runs["plain in"].append(measure(lambda: copy_flushed(source, target)))
            target.unlink()
            shutil.rmtree(home / "store", ignore_errors=True)
            store, changes = open_repository(home, NAME), ChangeSet().put("big", source)
            runs["in"].append(measure(lambda store=store, changes=changes: store.commit("main", changes, "in").id))
        source.unlink()
        (content,) = (path for path in home.rglob(store.stat("main", "big").sha256))
        for _ in range(TURNS):
            runs["plain out"].append(measure(lambda: copy_flushed(content, target)))
            target.unlink()
            runs["out"].append(measure(lambda store=store: store.download("main", "big", target).size))
            target.unlink()
        return {what: min(taken, key=lambda run: run.wall) for what, taken in runs.items()}


def paths(count: int, flat: bool) -> list[str]:
    return [f"flat/f{number}" if flat else f"d{number % 100}/f{number}" for number in range(count)]


def ours(count: int, flat: bool) -> dict[str, float]:
    names = paths(count, flat)
    with folder() as home:
        open_repository(home, NAME)
        taken = {}

        def take(what: str, work: Callable[[], object]) -> None:
            run = measure(work)
            taken[what] = min(run.wall, taken.get(what, run.wall))

        def repository():
            """Opened anew, so that nothing is remembered."""
            return open_repository(home, NAME)

        first = ChangeSet()
        for number, name in enumerate(names):
            first.put(name, f"{number}".encode())
        take("commit", lambda: repository().commit("main", first, "first"))
        for turn in range(TURNS):
            change = ChangeSet().put(names[turn], b"changed")
            take("change", lambda change=change: repository().commit("main", change, "change"))
            repository().create_branch(f"work{turn}", "main")
            repository().commit(f"work{turn}", ChangeSet().put(names[-1 - turn], b"source"), "source")
            repository().commit("main", ChangeSet().put(names[100 + turn], b"destination"), "destination")
            take("merge", lambda turn=turn: repository().merge(f"work{turn}", "main"))
        return taken


def git(count: int, flat: bool) -> dict[str, float]:
    names = paths(count, flat)
    with folder() as home:

        def run(*words: str) -> None:
            identity = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "gc.auto=0")
            # What the store promises: on the disk before it is acknowledged.
            subprocess.run(
                ["git", "-C", home, *identity, "-c", "core.fsync=all", "-c", "core.fsyncMethod=batch", *words],
                check=True,
                capture_output=True,
            )

        def write(name: str, text: str) -> None:
            path = home / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

        taken: dict[str, float] = {}

        def take(what: str, work: Callable[[], object]) -> None:
            began = time.perf_counter()
            work()
            seconds = time.perf_counter() - began
            taken[what] = min(seconds, taken.get(what, seconds))

        def commit_all() -> None:
            run("add", "--all")
            run("commit", "-m", "change")

        def first() -> None:
            for number, name in enumerate(names):
                write(name, f"{number}")
            commit_all()

        run("init", "-b", "main")
        take("commit", first)
        for turn in range(TURNS):
            write(names[turn], "changed")
            take("change", commit_all)
            run("checkout", "-b", f"work{turn}")
            write(names[-1 - turn], "source")
            commit_all()
            run("checkout", "main")
            write(names[100 + turn], "destination")
            commit_all()
            take("merge", lambda turn=turn: run("merge", "--no-edit", f"work{turn}"))
        return taken


def main() -> None:
    taken = alone(gibibyte, threads=2).value
    for what, words in (("in", "1 GiB into the store"), ("out", "1 GiB out of the store, its digest checked")):
        mine, plain = taken[what], taken[f"plain {what}"]
        line(
            words,
            ours=mine.wall,
            peer=plain.wall,
            unit="s",
            goal=SHARE_OF_DISK,
            holds=mine.beyond_mib < MEMORY_MIB,
            peer_is="copying to a plain file and flushing it",
            ours_cpu=mine.cpu,
            peer_cpu=plain.cpu,
            extra_mib=mine.beyond_mib,
            extra_goal_mib=MEMORY_MIB,
        )
    steps = {"commit": "{} objects committed", "change": "1 change on {}", "merge": "merge, 1 change a side, on {}"}
    for count in [int(word) for word in sys.argv[1:]] or [10_000, 100_000]:
        for flat in (False, True):
            mine, theirs = alone(ours, count, flat).value, alone(git, count, flat).value
            for step, words in steps.items():
                limit = SECONDS[step] * (max(1.0, count / 10_000) if step == "commit" else 1.0)
                line(
                    f"{words.format(f'{count:,}')}, {'flat' if flat else 'nested'}",
                    ours=mine[step],
                    peer=theirs[step],
                    unit="s",
                    goal=0.0,
                    holds=mine[step] < limit,
                    peer_is="git add and commit, or git merge, flushed to disk",
                    goal_s=limit,
                )


if __name__ == "__main__":
    main()
