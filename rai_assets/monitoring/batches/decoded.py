"""Columns that drift makes of the stored files that rows name: of those of a batch, and of the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType

import pyarrow as pa

from rai_assets.data.dataset import FILES
from rai_assets.data.media.examine import Facts, examine
from rai_assets.data.media.rows import NotThere
from rai_assets.data.media.settings import FACTS, MediaSettings
from rai_assets.keys import batch_folder
from rai_assets.monitoring.batches.batch import NAMED, Batch
from rai_assets.monitoring.batches.reference import Reference
from rai_assets.monitoring.drift.media.files import Made
from rai_assets.monitoring.drift.media.settings import BatchDriftSettings, EmbeddingSettings
from rai_assets.store.protocol import NotFound, VersionedRepository

Progress = Callable[[str, int, int], None]


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


@dataclass(frozen=True)
class Decoding:
    """How the files of a use case are decoded.

    Attributes:
        column: The column that names them.
        embedding: What stands for a whole picture; a grid of its pixels if there is none.
        folder: The folder that the embedding's path starts from.
    """

    column: str
    embedding: EmbeddingSettings | None
    folder: Path

    def of_batch(self, batch: Batch, repository: VersionedRepository, seed: int, progress: Progress) -> Decoded:
        """What is made of the files of a batch.

        Raises:
            InputRefused: There is no such embedding, or what decodes the files is not installed.
        """
        names = batch.table([self.column]).column(0).to_pylist()
        prefix = batch_folder(batch.key) + NAMED
        return self._made(names, repository, batch.commit, prefix, batch.key, seed, progress)

    def of_reference(self, reference: Reference, seed: int, progress: Progress) -> Decoded:
        """What is made of the files of the rows that batches are compared with.

        Raises:
            InputRefused: There is no such embedding, or what decodes the files is not installed.
        """
        names = reference.table([self.column]).column(0).to_pylist()
        commit = reference.dataset.commit
        return self._made(names, reference.repository, commit, FILES, "the reference", seed, progress)

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


def decoding_of(media: MediaSettings | None, settings: BatchDriftSettings, folder: Path) -> Decoding | None:
    """How the files of a use case are decoded; None where rows name none, or no column made of them is compared.

    Args:
        media: The declared files of the data set.
        settings: The declared drift.
        folder: Where declared paths start from.
    """
    if media is None or (settings.only and set(settings.only).isdisjoint(settings.decoded)):
        return None
    return Decoding(media.path, settings.embedding, folder)


class CommittedFiles:
    """The files of a commit, brought to this machine one at a time. A context manager.

    Args:
        repository: Where they are stored.
        commit: The commit.
        prefix: What their paths begin with there.
        scratch: Where the one that is looked at lies.
    """

    def __init__(self, repository: VersionedRepository, commit: str, prefix: str, scratch: Path) -> None:
        self._repository, self._commit, self._prefix, self._scratch = repository, commit, prefix, scratch

    def __enter__(self) -> CommittedFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

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
