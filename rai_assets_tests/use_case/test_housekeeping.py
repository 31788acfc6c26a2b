"""`rai gc`, `rai store verify` and `rai store copy` from a user's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rai_assets.cli import app
from rai_assets.errors import RaiError, UsageError
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.store.saying import content, write


@pytest.fixture
def loans(workplace: Path) -> VersionedRepository:
    """The repository of the declared use case `loans`, with two commits and a branch that is gone."""
    repository = open_repository(workplace / ".rai", "rai-loans")
    write(repository, "main", {"a": "1"})
    repository.create_branch("gone", "main")
    write(repository, "gone", {"big": "x" * 1000})
    repository.delete_branch("gone")
    return repository


def rai(*words: str) -> Result:
    return CliRunner().invoke(app, words, standalone_mode=False)


def test_gc_tells_then_does(loans: VersionedRepository) -> None:
    kept = "loans: 0 expired run branches, 0 contents (0 bytes) and 0 unfinished uploads removed\n"
    assert rai("gc").stdout == kept
    told = "loans: 0 expired run branches, 1 content (1,000 bytes) and 0 unfinished uploads would be removed\n"
    assert rai("gc", "--grace", "0m", "--dry-run").stdout == told
    assert rai("gc", "loans", "--grace", "0m").stdout == told.replace("would be removed", "removed")
    assert rai("gc", "loans", "--grace", "0m").stdout == kept


@pytest.mark.parametrize("grace", ["", "14", "d", "-1d", "1.5d", "2w", "9999999d"])
def test_gc_wants_a_span_of_time(loans: VersionedRepository, grace: str) -> None:
    fault = rai("gc", "--grace", grace).exception
    assert isinstance(fault, UsageError)
    assert "14d" in fault.fix


def test_verify_says_that_all_is_sound(loans: VersionedRepository) -> None:
    done = rai("store", "verify")
    assert done.exception is None
    assert done.stdout == "loans: sound; 2 commits, 1 content, 1 byte read\n"


def test_verify_names_what_is_damaged_and_ends_with_4(loans: VersionedRepository, workplace: Path) -> None:
    digest = loans.stat("main", "a").sha256
    (workplace / ".rai" / "store" / "rai-loans" / "objects" / "sha256" / digest[:2] / digest).unlink()
    done = rai("store", "verify", "loans")
    assert isinstance(done.exception, RaiError)
    assert done.exception.exit_code == 4
    head = loans.resolve("main")[:12]
    assert done.stdout.splitlines()[1:] == [f"  commit {head}, a: the content is missing"]


def test_copy_to_a_folder_and_from_it(loans: VersionedRepository, workplace: Path) -> None:
    there = f"embedded:{workplace / 'backup'}"
    said = "loans: 2 commits copied, 0 were there; the trees of 1 branch or tag are equal\n"
    assert rai("store", "copy", "here", there).stdout == said
    assert rai("store", "copy", "here", there, "loans").stdout == said.replace("2 commits", "0 commits").replace(
        ", 0 were", ", 2 were"
    )
    copied = open_repository(workplace / "backup", "rai-loans", create=False)
    assert (copied.branches(), content(copied, "main")) == (loans.branches(), {"a": "1"})
    write(copied, "main", {"b": "2"})
    assert rai("store", "copy", there, "here").exception is None
    assert content(loans, "main") == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    "words", [("here", "here"), ("here", "nowhere"), ("nowhere", "here"), ("here", "embedded:.rai")]
)
def test_copy_wants_two_stores(loans: VersionedRepository, words: tuple[str, str]) -> None:
    assert isinstance(rai("store", "copy", *words).exception, UsageError)


@pytest.mark.parametrize(
    "words", [("gc", "none"), ("store", "verify", "none"), ("store", "copy", "here", "embedded:x", "none")]
)
def test_a_use_case_that_does_not_exist_is_told(loans: VersionedRepository, words: tuple[str, ...]) -> None:
    fault = rai(*words).exception
    assert isinstance(fault, UsageError)
    assert "there is no use case 'none'" in fault.what


def test_a_newer_store_is_refused(loans: VersionedRepository, workplace: Path) -> None:
    (workplace / ".rai" / "store" / "rai-loans" / "format").write_text("99\n")
    fault = rai("gc").exception
    assert isinstance(fault, UsageError)
    assert "newer version" in fault.what
