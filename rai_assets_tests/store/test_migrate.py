"""A folder of a former format becomes today's, with a backup; one of a newer format is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.errors import UsageError
from rai_assets.store import migrate
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import BackendUnavailable, VersionedRepository
from rai_assets.store.verify import verify
from rai_assets_tests.store.backends import NAME
from rai_assets_tests.store.saying import content, write


@pytest.fixture
def former(home: Path, root: Path, store: VersionedRepository) -> dict[str, str]:
    """A folder of the first format, which did not say so; its branches and their heads."""
    write(store, "main", {"a": "1", "b/c": "2"})
    store.create_branch("work", "main")
    write(store, "work", {"a": None})
    store.create_tag("v1", "work")
    store.protect(["results-*"])
    (root / "format").unlink()
    return dict(store.branches())


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_new_folder_says_its_format(root: Path, store: VersionedRepository):
    assert (root / "format").read_text() == f"{migrate.FORMAT}\n"
    assert not (root / "backup").exists()


def test_a_folder_of_the_former_format_is_migrated_when_it_is_opened(home: Path, root: Path, former: dict[str, str]):
    before = files(root)
    opened = open_repository(home, NAME)
    assert opened.branches() == former
    assert content(opened, "main") == {"a": "1", "b/c": "2"}
    assert verify(opened).damages == ()
    assert (root / "format").read_text() == f"{migrate.FORMAT}\n"
    kept = {path: data for path, data in before.items() if path.startswith("git/") or path == "settings.json"}
    assert files(root / "backup" / "format-1") == kept


def test_the_backup_put_back_is_the_former_folder(home: Path, root: Path, former: dict[str, str]):
    opened = open_repository(home, NAME)
    write(opened, "main", {"later": "1"})
    backup = root / "backup" / "format-1"
    (root / "git").rename(root / "git.wrong")
    (backup / "git").rename(root / "git")
    assert open_repository(home, NAME).branches() == former


def test_a_migration_that_died_goes_on(home: Path, root: Path, former: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    """Two made-up steps: the second dies half way. What it changed is in the backup of its start."""

    def rename(folder: Path) -> None:
        # As every step has to: bearable twice, and never writing into a file that is there.
        settings = folder / "settings.json"
        fresh = folder / "settings.new"
        fresh.write_text(settings.read_text().replace("results", "changed"))
        fresh.replace(settings)
        if dies:
            raise KeyboardInterrupt

    dies = True
    monkeypatch.setattr(migrate, "STEPS", {1: lambda _: None, 2: rename})
    monkeypatch.setattr(migrate, "FORMAT", 3)
    with pytest.raises(KeyboardInterrupt):
        open_repository(home, NAME)
    assert (root / "format").read_text() == "2\n"
    dies = False
    assert open_repository(home, NAME).branches() == former
    assert (root / "format").read_text() == "3\n"
    assert "changed-*" in (root / "settings.json").read_text()
    for number in (1, 2):
        assert "results-*" in (root / "backup" / f"format-{number}" / "settings.json").read_text()


def test_a_newer_format_is_refused_and_not_touched(home: Path, root: Path, store: VersionedRepository):
    write(store, "main", {"a": "1"})
    (root / "format").write_text("99\n")
    before = files(root)
    with pytest.raises(UsageError, match="written by a newer version of this product .format 99, not 2"):
        open_repository(home, NAME)
    assert files(root) == before


@pytest.mark.parametrize("text", ["", "two", "-1", "0", "\x00"])
def test_a_format_that_is_no_number_is_damage(home: Path, root: Path, store: VersionedRepository, text: str):
    (root / "format").write_text(text)
    with pytest.raises(BackendUnavailable, match="not a number"):
        open_repository(home, NAME)
