"""Files of a manifest brought into the store: only what is missing, in parts, each of them kept.

They gather on a branch of their own, `tx-media-<run id>`. One that was left unfinished, by whatever end of its run, is
where the next run starts: what lies there is not stored again. It expires like every branch of a dead run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from rai_assets.charts.text import how_many
from rai_assets.data.dataset import FILES
from rai_assets.data.media.rows import sorted_files
from rai_assets.data.media.stored import stored_files
from rai_assets.errors import InputRefused, RaiError
from rai_assets.store.errors import MergeConflict, NoChanges
from rai_assets.store.protocol import ChangeSet, VersionedRepository

Progress = Callable[[str, int, int], None]

PREFIX = "tx-media-"
_BRANCH = "data_branch"  # in the metadata of the parts
_PART_FILES = 10_000
_PART_BYTES = 256 << 20
_END = (None, "")  # of a listing


def upload(
    repository: VersionedRepository, branch: str, folder: Path, manifest: Path, run_id: str, progress: Progress
) -> str | None:
    """Store the files of a manifest that a data branch does not have.

    Args:
        repository: Where they go.
        branch: The data branch.
        folder: Where the files lie.
        manifest: Its manifest.
        run_id: Names the branch of the parts.
        progress: Told (what, bytes done, bytes in all).

    Returns:
        The branch that holds exactly the manifest's files; None where the data branch does already.

    Raises:
        InputRefused: A file changed since the manifest was made.
    """
    wanted = sorted_files(manifest, ["path", "media_bytes", "media_sha256", "media_type"])
    missing, gone = _compare(wanted, stored_files(repository, branch))
    if not missing.num_rows and not gone:
        return None
    parts = _gathering_branch(repository, branch, f"{PREFIX}{run_id}")
    words = {"run_id": run_id, _BRANCH: branch}
    missing, gone = _compare(wanted, stored_files(repository, parts))
    if gone:
        changes = ChangeSet(deletes={FILES + path for path in gone})
        repository.commit(
            parts, changes, f"{how_many(len(gone), 'file')} that no row of {branch} names any more", words
        )
    total, done = sum(missing["media_bytes"].to_pylist()), 0
    for part in _parts(missing):
        changes = ChangeSet()
        for item in part:
            changes.put(FILES + item["path"], folder / item["path"], item["media_type"])
        with suppress(NoChanges):
            repository.commit(parts, changes, f"{how_many(len(part), 'file')} for {branch}", words)
        done += sum(item["media_bytes"] for item in part)
        progress(f"bytes of {folder.name} stored", done, total)
    changed, _ = _compare(wanted, stored_files(repository, parts))
    if changed.num_rows:
        path = folder / changed["path"][0].as_py()
        raise InputRefused("the file changed while it was stored", where=str(path), fix="run again")
    return parts


def bring(repository: VersionedRepository, parts: str, run_branch: str) -> None:
    """Merge the files of a finished upload into a run's branch, which then has exactly these.

    Raises:
        RaiError: The data branch got other files meanwhile.
    """
    with suppress(NoChanges):
        repository.merge(parts, run_branch, "Files of the data set", strategy="source-wins")
    if next(repository.diff(parts, run_branch, FILES, two_dot=True), None) is not None:
        raise RaiError("another run published other files meanwhile", where=run_branch, fix="run again")


def _gathering_branch(repository: VersionedRepository, branch: str, name: str) -> str:
    """A branch for the parts: from the newest unfinished one, brought up to the data branch, else from that."""
    left = [
        (commit.time, other)
        for other, head in repository.branches(PREFIX).items()
        if (commit := repository.get_commit(head)).metadata.get(_BRANCH) == branch
        and next(repository.diff(branch, head, FILES), None) is not None
    ]
    if name not in repository.branches(PREFIX):
        repository.create_branch(name, max(left)[1] if left else branch)
    try:
        with suppress(NoChanges):
            repository.merge(branch, name, "The data branch moved on", {_BRANCH: branch}, strategy="source-wins")
    except MergeConflict:  # a file there is a folder here
        repository.delete_branch(name)
        repository.create_branch(name, branch)
    return name


def _compare(wanted: pa.Table, stored: Iterator[tuple[str, str]]) -> tuple[pa.Table, list[str]]:
    """The rows whose file is not stored as they say, and the paths of stored files without a row.

    Both sides come in byte order of their paths and are gone through side by side, so that neither is held twice.
    """
    found, gone = [], []
    path, sha256 = next(stored, _END)
    for batch in wanted.to_batches(_PART_FILES):
        missing = []
        for name, digest in zip(*(batch.column(at).to_pylist() for at in ("path", "media_sha256")), strict=True):
            key = name.encode()
            while path is not None and path.encode() < key:
                gone.append(path)
                path, sha256 = next(stored, _END)
            missing.append((path, sha256) != (name, digest))
            if path == name:
                path, sha256 = next(stored, _END)
        found.append(batch.filter(pa.array(missing, pa.bool_())))
    while path is not None:
        gone.append(path)
        path, sha256 = next(stored, _END)
    return pa.Table.from_batches(found, wanted.schema), gone


def _parts(missing: pa.Table) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for batch in missing.to_batches(max_chunksize=_PART_FILES):
        for item in batch.to_pylist():
            if part and (len(part) == _PART_FILES or size + item["media_bytes"] > _PART_BYTES):
                yield part
                part, size = [], 0
            part.append(item)
            size += item["media_bytes"]
    if part:
        yield part
