"""Write, audit, publish: nothing half-made is seen, nothing unaudited is published, others' data stay."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rai_assets.data.dataset import Dataset
from rai_assets.data.ingest import Ingested, ingest
from rai_assets.errors import RaiError
from rai_assets.store.ledger import standing
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import ChangeSet, VersionedRepository
from rai_assets_tests.data.conftest import COLUMNS, GOOD, Declare, data_branches


class Moving:
    """The repository, with something that happens on `main` between audit and publication."""

    def __init__(self, inner: VersionedRepository, event: Callable[[], object]) -> None:
        self._inner, self._event, self._done = inner, event, False

    def __getattr__(self, name: str) -> object:
        if name == "merge" and not self._done:
            self._done = True
            self._event()
        return getattr(self._inner, name)


def test_a_branch_that_moved_is_merged_in_first(
    declare: Declare, tmp_path: Path, repository: VersionedRepository
) -> None:
    moving = Moving(repository, lambda: repository.commit("main", ChangeSet().put("notes.txt", b"x"), "meanwhile"))
    found = ingest(declare(GOOD, COLUMNS), tmp_path, moving, "main", run_id="r")  # type: ignore[arg-type]
    assert found.accepted
    assert data_branches(repository) == {"main": found.commit}
    assert repository.stat("main", "notes.txt").size == 1
    assert Dataset(repository, "main").row_count == 3


def test_other_data_published_meanwhile_are_not_overwritten(
    declare: Declare, tmp_path: Path, repository: VersionedRepository
) -> None:
    declared = declare(GOOD, COLUMNS)

    def other_run() -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "data.csv").write_text("a,c\n9,z\n")
        ingest(declared, tmp_path / "other", repository, "main", run_id="other")

    with pytest.raises(RaiError, match="another run published other data"):
        ingest(declared, tmp_path, Moving(repository, other_run), "main", run_id="r")  # type: ignore[arg-type]
    assert Dataset(repository, "main").table().to_pydict() == {"a": [9], "c": ["z"]}


def test_the_same_data_published_meanwhile_are_taken_as_they_are(
    declare: Declare, tmp_path: Path, repository: VersionedRepository
) -> None:
    declared = declare(GOOD, COLUMNS)
    moving = Moving(repository, lambda: ingest(declared, tmp_path, repository, "main", run_id="other"))
    found = ingest(declared, tmp_path, moving, "main", run_id="r")  # type: ignore[arg-type]
    assert data_branches(repository) == {"main": found.commit}


def test_two_branches_can_be_filled_at_once(declare: Declare, tmp_path: Path, repository: VersionedRepository) -> None:
    declared = declare(GOOD, COLUMNS)
    found: dict[str, Ingested] = {}
    repository.create_branch("other", "main")

    def fill(branch: str) -> None:
        own = open_repository(tmp_path / "home", "rai-data")
        found[branch] = ingest(declared, tmp_path, own, branch, run_id=branch)

    threads = [threading.Thread(target=fill, args=(branch,)) for branch in ("main", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["main"].accepted
    assert found["main"].version == found["other"].version
    assert sorted(data_branches(repository)) == ["main", "other"]


_RESTLESS = """
import itertools, sys
from pathlib import Path
from rai_assets.data.ingest import ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.store.ledger import standing
from rai_assets.store.open import open_repository

folder, turn = Path(sys.argv[1]), sys.argv[2]
declared = DatasetSettings.model_validate({"files": [{"path": "data.csv"}], "columns": {"a": {"dtype": "integer"}}})
repository = open_repository(folder / "home", "rai-data")
for step in itertools.count():
    own = folder / f"{turn}-{step}"
    own.mkdir()
    (own / "data.csv").write_text("a\\n" + f"{turn}\\n" * (step + 1))
    print(ingest(declared, own, repository, "main", run_id=f"{turn}-{step}").commit, flush=True)
"""


@pytest.mark.nightly
def test_a_process_killed_at_any_moment_loses_nothing_that_it_acknowledged(
    tmp_path: Path, repository: VersionedRepository
) -> None:
    """40 deaths; each process takes a second to begin."""
    chance = random.Random(0)
    acknowledged: list[str] = []
    for turn in range(40):
        command = [sys.executable, "-c", _RESTLESS, str(tmp_path), str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            acknowledged.append(process.stdout.readline().strip())
            time.sleep(chance.random() * 0.15)
            process.kill()
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        head = repository.resolve("main")
        table = Dataset(repository, head).table().to_pydict()["a"]
        assert set(table) == {turn}, "one run's data, whole"
        assert Dataset(repository, head).row_count == len(table)
        assert standing(repository, head, []).gated
    history = {commit.id for commit in repository.log("main")}
    assert set(acknowledged) <= history
    assert all(standing(repository, commit, []).gated for commit in acknowledged)
