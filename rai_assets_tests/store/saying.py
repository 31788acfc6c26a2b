"""Short words for tests: write some texts, read a whole commit back."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from rai_assets.store.protocol import ChangeSet, Commit, VersionedRepository


def change(files: Mapping[str, str | bytes | None]) -> ChangeSet:
    """A change set that writes each text at its path, and deletes where the text is None."""
    changes = ChangeSet()
    for path, text in files.items():
        if text is None:
            changes.delete(path)
        else:
            changes.put(path, text.encode() if isinstance(text, str) else text)
    return changes


def write(repository: VersionedRepository, branch: str, files: Mapping[str, str | bytes | None]) -> Commit:
    return repository.commit(branch, change(files), f"write {', '.join(files)}"[:80])


def content(repository: VersionedRepository, ref: str) -> dict[str, str]:
    """Every object of a commit, read through `open`."""
    commit = repository.resolve(ref)
    return {item.path: read(repository, commit, item.path) for item in repository.list_objects(commit)}


def read(repository: VersionedRepository, ref: str, path: str) -> str:
    with repository.open(ref, path) as stream:
        return stream.read().decode()


def git(root: Path, *words: str) -> str:
    """What git itself says about an embedded repository, without a warning."""
    done = subprocess.run(["git", "--git-dir", root / "git", *words], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout
