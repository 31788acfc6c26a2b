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
from pyarrow import parquet

from rai_assets.data.dataset import FILES
from rai_assets.data.media.stored import stored_files
from rai_assets.errors import InputRefused, RaiError
from rai_assets.store.errors import MergeConflict, NoChanges
from rai_assets.store.protocol import ChangeSet, VersionedRepository

Progress = Callable[[str, int, int], None]

PREFIX = "tx-media-"
_BRANCH = "data_branch"  # in the metadata of the parts
_PART_FILES = 10_000
_PART_BYTES = 256 << 20


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
    wanted = parquet.read_table(manifest, columns=["path", "media_bytes", "media_sha256", "media_type"])
    present = stored_files(repository, branch)
    if not _missing(wanted, present).num_rows and not present:
        return None
    parts = _gathering_branch(repository, branch, f"{PREFIX}{run_id}")
    words = {"run_id": run_id, _BRANCH: branch}
    present = stored_files(repository, parts)
    missing = _missing(wanted, present)
    if present:
        gone = ChangeSet(deletes={FILES + path for path in present})
        repository.commit(parts, gone, f"{len(present):,} files that no row of {branch} names any more", words)
    total, done = sum(missing["media_bytes"].to_pylist()), 0
    for part in _parts(missing):
        changes = ChangeSet()
        for item in part:
            changes.put(FILES + item["path"], folder / item["path"], item["media_type"])
        with suppress(NoChanges):
            repository.commit(parts, changes, f"{len(part):,} files for {branch}", words)
        done += sum(item["media_bytes"] for item in part)
        progress(f"bytes of {folder.name} stored", done, total)
    changed = _missing(wanted, stored_files(repository, parts))["path"].to_pylist()
    if changed:
        raise InputRefused("the file changed while it was stored", where=str(folder / changed[0]), fix="run again")
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


def _missing(wanted: pa.Table, present: dict[str, bytes]) -> pa.Table:
    """The rows whose file is not there as they say; what is there leaves `present`."""
    found = []
    for batch in wanted.to_batches(max_chunksize=_PART_FILES):
        digests = zip(batch.column("path").to_pylist(), batch.column("media_sha256").to_pylist(), strict=True)
        missing = [present.pop(path, None) != bytes.fromhex(sha256) for path, sha256 in digests]
        found.append(batch.filter(pa.array(missing, pa.bool_())))
    return pa.Table.from_batches(found, wanted.schema)


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
