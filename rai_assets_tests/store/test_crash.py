"""A writer may die at any moment: what it acknowledged stays, what it did not is as if it had never begun."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.backends import NAME
from rai_assets_tests.store.processes import run
from rai_assets_tests.store.saying import git, write


@pytest.mark.parametrize("kills", [20, pytest.param(150, marks=pytest.mark.nightly)])
def test_death_at_any_point_leaves_the_old_state_or_the_new(
    repository: VersionedRepository, backend: str, location: str, tmp_path: Path, kills: int
):
    acknowledged = run("crashes", backend, location, kills, seed=kills)["acknowledged"]
    assert len(acknowledged) >= kills // 2
    history = {commit.id for commit in repository.log("main")}
    assert set(acknowledged) <= history
    for item in repository.list_objects("main"):
        repository.download("main", item.path, tmp_path / "copy")
    write(repository, "main", {"after": "1"})
    repository.collect_garbage(timedelta(0))
    root = Path(location) / "store" / NAME
    assert list((root / "tmp").iterdir()) == []
    assert set(acknowledged) <= {commit.id for commit in repository.log("main")}
    assert git(root, "fsck", "--full") == ""
