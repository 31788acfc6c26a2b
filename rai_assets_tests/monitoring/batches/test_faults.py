"""What may happen to the sensor, the daemon and the runs: every batch is accepted once, and none is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from rai_assets.errors import RaiError
from rai_assets.monitoring.batches.batch import records
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.batches import listed, production_of
from rai_assets.use_case.declaration import Declared
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.use_case.conftest import loan_rows

# The asset `batch` alone: what is asked of a batch afterwards is not what is broken off here.
WORKER = """
import sys
from pathlib import Path
from uuid import uuid4
from rai_assets.progress import Progress
from rai_assets.store.stage import Stage
from rai_assets.use_case.batches import production_of
from rai_assets.use_case.declaration import load
from rai_assets.use_case.reading import repository_of

declared = load(Path(sys.argv[1]))
production, repository = production_of(declared), repository_of("loans")
while True:
    with production.arrivals(repository) as ledger:
        production.look(ledger, limit=5)
        waiting = [request.key for request in ledger.pending(5, 9e9)]
    for key in waiting:
        production.audit(Stage.of_batch(declared.use_case.keys(), key, repository, str(uuid4()), Progress(str)))
    print(len(waiting), flush=True)
"""


def started(declared: Declared) -> subprocess.Popen[str]:
    """A process that takes files and audits batches, over and over."""
    return subprocess.Popen([sys.executable, "-c", WORKER, str(declared.path)], stdout=subprocess.PIPE, text=True)


def accepted(store: VersionedRepository) -> dict[str, int]:
    """{batch: revision} on `production`."""
    return {record.key: record.revision for record in records(store, store.resolve("production"))}


def test_a_tick_that_breaks_off_is_repeated_by_the_next(receiving: Daemon, inbox: Desk) -> None:
    inbox.put("a.csv", loan_rows(5))
    lost = receiving.ask()
    again = receiving.ask()
    assert isinstance(lost, dg.SensorResult)
    assert isinstance(again, dg.SensorResult)
    keys = [[item.run_key for item in answer.run_requests or []] for answer in (lost, again)]
    assert keys[0] == keys[1], "Dagster starts one run for one key"
    assert len(keys[0]) == 1


def test_a_run_that_ended_without_a_verdict_is_asked_for_again(
    receiving: Daemon, inbox: Desk, store: VersionedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away while the run is at work."""
    inbox.put("a.csv", loan_rows(5))
    folder = inbox.folder.parents[2] / ".rai" / "store" / "rai-loans"
    answer = receiving.ask()
    assert isinstance(answer, dg.SensorResult)
    (request,) = answer.run_requests or []
    receiving.instance.add_dynamic_partitions("loans_batch", ["a"])
    objects = folder / "objects"
    mode = objects.stat().st_mode
    shutil.move(folder, folder.with_name("away"))
    folder.write_text("not a folder")
    assert not receiving.execute(request)
    folder.unlink()
    shutil.move(folder.with_name("away"), folder)
    assert objects.stat().st_mode == mode
    assert receiving.ask().skip_message.startswith("nothing new"), "a pause first"  # type: ignore[union-attr]
    assert receiving.states() == {"a": "pending"}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    again = receiving.ask()
    assert isinstance(again, dg.SensorResult)
    (once_more,) = again.run_requests or []
    assert once_more.run_key != request.run_key
    assert receiving.execute(once_more)
    assert accepted(store) == {"a": 1}


def test_a_run_that_broke_off_after_its_verdict_is_made_again_a_few_times(
    receiving: Daemon, inbox: Desk, store: VersionedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no champion while the batch is to be scored."""
    inbox.put("a.csv", loan_rows(5))
    champion = store.resolve("champion")
    store.delete_branch("champion")
    assert receiving.tick() == {"a": False}
    assert receiving.states() == {"a": "accepted"}
    now = time.time()
    assert receiving.tick() == {}, "a pause first"
    store.create_branch("champion", champion)
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert receiving.tick() == {"a": True}
    assert receiving.tick() == {}
    monkeypatch.setattr(time, "time", lambda: now + 6000)
    assert receiving.tick() == {}
    assert accepted(store) == {"a": 1}


def test_bytes_that_left_the_inbox_before_their_audit_are_kept(
    receiving: Daemon, inbox: Desk, store: VersionedRepository
) -> None:
    path = inbox.put("a.csv", loan_rows(5))
    receiving.ask()
    path.unlink()
    assert receiving.tick() == {"a": True}
    assert accepted(store) == {"a": 1}


def test_an_inbox_that_is_away_fails_its_tick_only(receiving: Daemon, inbox: Desk) -> None:
    inbox.folder.rename(inbox.folder.with_name("away"))
    with pytest.raises(RaiError, match="no such file"):
        receiving.ask()
    inbox.folder.with_name("away").rename(inbox.folder)
    inbox.put("a.csv", loan_rows(5))
    assert receiving.tick() == {"a": True}


@pytest.mark.nightly  # a minute: processes are started and killed over and over
def test_killed_at_random_points_and_two_at_once_nothing_is_lost_and_nothing_comes_twice(
    declared: Declared, inbox: Desk, store: VersionedRepository
) -> None:
    draw = random.Random(7)
    expected = {}
    for number in range(60):
        inbox.put(f"b{number:02d}.csv", loan_rows(20, seed=number))
        expected[f"b{number:02d}"] = 1
    kills = 0
    deadline = time.monotonic() + 240
    while kills < 12 and time.monotonic() < deadline:
        pair = [started(declared), started(declared)]
        time.sleep(draw.uniform(1.5, 5.0))
        for process in pair:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
            kills += 1
    last = started(declared)
    assert last.stdout is not None
    while last.stdout.readline().strip() != "0":
        assert time.monotonic() < deadline + 120
    last.kill()
    last.wait()
    last.stdout.close()
    assert accepted(store) == expected
    assert {entry.state for entry in listed(declared)} == {"accepted"}
    published = [commit for commit in store.log("production") if commit.message.startswith("Data published")]
    assert len(published) == len(expected), "each once"
    left = list(Path(production_of(declared).spool.fresh()).parent.glob(".*"))
    assert len(left) <= kills, "what was half-copied is swept later"
