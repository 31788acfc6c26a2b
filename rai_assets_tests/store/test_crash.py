"""A writer may die at any moment: what it acknowledged stays, what it did not is as if it had never begun."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.backends import NAME
from rai_assets_tests.store.processes import run
from rai_assets_tests.store.saying import git, write

# Not on the stand-in, which would test the engine below it once more.
pytestmark = pytest.mark.parametrize("backend", ["embedded", "lakefs"], indirect=True)


@pytest.mark.parametrize("kills", [25, pytest.param(225, marks=pytest.mark.nightly)])
def test_death_at_any_point_leaves_the_old_state_or_the_new(
    repository: VersionedRepository,
    backend: str,
    location: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kills: int,
):
    root = Path(location) / "store" / NAME
    said = run("crashes", backend, location, kills, seed=kills)
    acknowledged = said["acknowledged"]
    assert said["survived"] == kills
    assert len(acknowledged) >= kills // 2
    # One writer at a time: each death leaves the folder of one change set, and that of the file to adopt, at most.
    assert len(list(root.glob("tmp/*"))) <= 2 * kills
    assert len(list(root.rglob("*.lock"))) <= kills
    history = {commit.id for commit in repository.log("main")}
    assert set(acknowledged) <= history
    for item in repository.list_objects("main"):
        repository.download("main", item.path, tmp_path / "copy")
    write(repository, "main", {"after": "1"})
    repository.collect_garbage(timedelta(0))
    assert list(root.glob("tmp/*")) == []
    assert list(root.rglob("*.lock")) == []
    assert set(acknowledged) <= {commit.id for commit in repository.log("main")}
    if backend == "embedded":
        assert git(root, "fsck", "--full") == ""
    with capsys.disabled():
        sys.stdout.write(f"\n{said['survived']} of {kills} deaths survived, {len(acknowledged)} commits kept\n")
