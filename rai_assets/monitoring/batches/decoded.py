"""Columns that drift makes of the stored files that rows name: of those of a batch, and of the reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import uuid4

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rai_assets.data.dataset import FILES
from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.rows import FilesOfRows, NotThere
from rai_assets.data.media.settings import FACTS, MediaSettings
from rai_assets.keys import batch_folder
from rai_assets.monitoring.batches.batch import NAMED, Batch
from rai_assets.monitoring.batches.reference import Reference
from rai_assets.monitoring.drift.media.embedding import GRID
from rai_assets.monitoring.drift.media.files import Made
from rai_assets.monitoring.drift.media.settings import BatchDriftSettings, EmbeddingSettings
from rai_assets.monitoring.drift.vectors import vector_array
from rai_assets.provenance import digest_of
from rai_assets.store.protocol import NotFound, VersionedRepository

Progress = Callable[[str, int, int], None]

_KEPT = "decoded-"
_NOTES = b"notes"


@dataclass(frozen=True)
class Decoded:
    """Columns that are made of files, row by row, and what is to be known of them.

    Attributes:
        columns: Brightness, contrast and level, and the column of vectors; those that some file has.
        notes: What the vectors are, and which files cannot be compared.
    """

    columns: pa.Table
    notes: tuple[str, ...]

    def beside(self, table: pa.Table) -> pa.Table:
        """The columns of the same rows together."""
        for name in self.columns.column_names:
            table = table.append_column(name, self.columns.column(name))
        return table

    def save(self, path: Path) -> None:
        """Keep them in a file, in the place of what was kept of another reference."""
        flat = {name: _flat(self.columns.column(name)) for name in self.columns.column_names}
        table = pa.table(flat).replace_schema_metadata({_NOTES: json.dumps(self.notes)})
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{uuid4().hex}")
        parquet.write_table(table, fresh, compression="zstd")
        fresh.replace(path)
        for other in path.parent.glob(f"{_KEPT}*"):
            if other != path:
                other.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Decoded | None:
        """What `save` kept; None where it is not there, or damaged."""
        try:
            table = parquet.read_table(path, use_threads=False)
            columns = {name: _vectors(table.column(name)) for name in table.column_names}
            return cls(pa.table(columns), tuple(json.loads(table.schema.metadata[_NOTES])))
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class Decoding:
    """How the files of a use case are decoded.

    Attributes:
        column: The column that names them.
        embedding: What stands for a whole picture; a grid of its pixels if there is none.
        folder: The folder that the embedding's path starts from.
        state: Where what is made of the reference is kept, for the runs to come.
    """

    column: str
    embedding: EmbeddingSettings | None
    folder: Path
    state: Path

    def of_batch(self, batch: Batch, repository: VersionedRepository, seed: int, progress: Progress) -> Decoded:
        """What is made of the files of a batch.

        Raises:
            InputRefused: There is no such embedding, or what decodes the files is not installed.
        """
        names = batch.table([self.column]).column(0).to_pylist()
        prefix = batch_folder(batch.key) + NAMED
        return self._made(names, repository, batch.commit, prefix, batch.key, seed, progress)

    def of_reference(self, reference: Reference, seed: int, progress: Progress) -> Decoded:
        """What is made of the files of the rows that batches are compared with: once for all batches.

        Raises:
            InputRefused: There is no such embedding, or what decodes the files is not installed.
        """
        embedding = None if self.embedding is None else [self.embedding.sha256, self.embedding.output]
        digest = digest_of([reference.digest, self.column, embedding, GRID, seed])
        place = self.state / f"{_KEPT}{digest}.parquet"
        found = Decoded.read(place)
        if found is None:
            names = reference.table([self.column]).column(0).to_pylist()
            commit = reference.dataset.commit
            found = self._made(names, reference.repository, commit, FILES, "the reference", seed, progress)
            found.save(place)
        return found

    def _made(
        self,
        names: Sequence[str | None],
        repository: VersionedRepository,
        commit: str,
        prefix: str,
        where: str,
        seed: int,
        progress: Progress,
    ) -> Decoded:
        with repository.scratch() as scratch:
            files = CommittedFiles(repository, commit, prefix, scratch)
            made = Made.of(names, files, where, self.embedding, self.folder, seed, progress)
        columns = made.columns(range(len(names)))
        told = {name: column for name, column in columns.items() if name not in FACTS}
        return Decoded(pa.table(told), (*made.notes, *([f"{made.trouble}."] if made.trouble else [])))


def decoding_of(
    media: MediaSettings | None, settings: BatchDriftSettings, folder: Path, state: Path
) -> Decoding | None:
    """How the files of a use case are decoded; None where rows name none, or no column made of them is compared.

    Args:
        media: The declared files of the data set.
        settings: The declared drift.
        folder: Where declared paths start from.
        state: The folder of the use case's production in the state folder.
    """
    if media is None or (settings.only and set(settings.only).isdisjoint(settings.decoded)):
        return None
    return Decoding(media.path, settings.embedding, folder, state)


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Vectors as bytes: Parquet does not give a missing one among lists of one length back."""
    if not pa.types.is_fixed_size_list(column.type):
        return column
    rows = (None if row is None else np.asarray(row, np.float32).tobytes() for row in column.to_pylist())
    return pa.chunked_array([pa.array(rows, pa.binary())])


def _vectors(column: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if not pa.types.is_binary(column.type):
        return column
    rows = [None if row is None else np.frombuffer(row, np.float32) for row in column.to_pylist()]
    return vector_array(rows, next(len(row) for row in rows if row is not None))


class CommittedFiles(FilesOfRows):
    """The files of a commit, brought to this machine one at a time. A context manager.

    Args:
        repository: Where they are stored.
        commit: The commit.
        prefix: What their paths begin with there.
        scratch: Where the one that is looked at lies.
    """

    def __init__(self, repository: VersionedRepository, commit: str, prefix: str, scratch: Path) -> None:
        super().__init__()
        self._repository, self._commit, self._prefix, self._scratch = repository, commit, prefix, scratch

    def facts(self, path: str, row: int) -> Facts:
        """What is known of a file, found out by reading it.

        Raises:
            NotThere: It is not stored.
        """
        try:
            self._repository.download(self._commit, self._prefix + path, self.place(path))
        except NotFound as error:
            raise NotThere("is not among the stored files") from error
        return examine(self.place(path))

    def place(self, path: str) -> Path:
        """Where it lies, under a name of its kind, until another is asked for."""
        return self._scratch / f"file{PurePosixPath(path).suffix}"
