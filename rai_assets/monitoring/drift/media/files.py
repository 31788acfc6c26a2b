"""Files as rows: those of a folder, or those that the rows of a table name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.data.media.examine import Facts
from rai_assets.data.media.folder import FolderFiles
from rai_assets.data.media.headers import Unreadable
from rai_assets.data.media.rows import NotThere
from rai_assets.data.rules import shown
from rai_assets.errors import InputRefused
from rai_assets.monitoring.drift.columns import Kind
from rai_assets.monitoring.drift.drawn import MOST_ROWS
from rai_assets.monitoring.drift.media.embedding import OnnxEmbedding, PixelGrid, Vectors
from rai_assets.monitoring.drift.media.pictures import decode, intensity
from rai_assets.monitoring.drift.media.settings import EmbeddingSettings, MediaSettings
from rai_assets.monitoring.drift.media.sounds import level
from rai_assets.monitoring.drift.normal import normal_column
from rai_assets.monitoring.drift.sources import Source
from rai_assets.monitoring.drift.vectors import vector_array

if TYPE_CHECKING:
    from PIL.Image import Image

Progress = Callable[[str, int, int], None]

_SHOWN = 5
_AT_ONCE = 4096  # rows of a batch
_TEXTS = ("media_type", "media_mode")
_OF_KIND = {
    "image": ("type", "width", "height", "mode"),
    "audio": ("type", "seconds", "rate", "channels"),
}
_COLUMNS = (
    "media_type", "media_width", "media_height", "media_mode", "media_brightness", "media_contrast",
    "media_seconds", "media_rate", "media_channels", "media_level",
)  # fmt: skip


class Files(Protocol):
    """Files that can be decoded, wherever they are kept. A context manager."""

    def __enter__(self) -> Files: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def facts(self, path: str, row: int) -> Facts:
        """What is known of a row's file.

        Raises:
            NotThere: There is no such file, or an earlier row named it.
        """
        ...

    def place(self, path: str) -> Path:
        """Where that file lies on this machine, until the facts of another are asked for."""
        ...


def folder_source(path: Path, media: MediaSettings, seed: int, progress: Progress) -> Source:
    """The pictures and recordings of a folder and of those below it, in the order of their paths.

    Args:
        path: The folder.
        media: How pictures are compared.
        seed: Of the pictures that are compared together.
        progress: Told (what, done, in all).

    Raises:
        InputRefused: There are none, or one cannot be read.
    """
    files = FolderFiles(Path.cwd(), str(path), lambda *_: None)
    names = [name for name in sorted(files.without_row()) if not name.rpartition("/")[2].startswith((".", "_"))]
    made = Made.of(names, files, path.name, media.embedding, Path.cwd(), seed, progress)
    made.refuse_problems()
    rows = [at for at, told in enumerate(made.told) if told is not None]
    if not rows:
        raise InputRefused(
            "the folder has no pictures or recordings", where=str(path), fix="name a folder that holds some"
        )
    left_out = [names[at] for at, told in enumerate(made.told) if told is None]
    some = ", ".join(map(shown, left_out[:_SHOWN]))
    notes = (
        [f"Neither pictures nor recordings, so left out of {path.name}: {how_many(len(left_out), 'file')}: {some}."]
        if left_out
        else []
    )
    pieces = (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
    batches = (pa.RecordBatch.from_pydict(made.columns(piece)) for piece in pieces)
    return Source(path.name, made.kinds, batches, {}, made.dimensions, (*notes, *made.notes))


def table_source(source: Source, folder: Path, media: MediaSettings, seed: int, progress: Progress) -> Source:
    """The rows of a table with the columns that are made of the files they name.

    Args:
        source: The table.
        folder: Where the files lie.
        media: The column that names them, and how pictures are compared.
        seed: Of the pictures that are compared together.
        progress: Told (what, done, in all).

    Raises:
        InputRefused: There is no such column, or a file cannot be read.
    """
    column = media.column or ""
    if source.kinds.get(column) != "category":
        raise InputRefused(
            f"no column {column!r} names files",
            where=source.name,
            fix=f"name the column with their paths; there are {', '.join([*source.kinds][:20])}",
        )
    batches = list(source.batches)
    names = [name for batch in batches for name in batch.column(column).to_pylist()]
    files = FolderFiles(folder, ".", lambda *_: None)
    made = Made.of(names, files, source.name, media.embedding, Path.cwd(), seed, progress)
    made.refuse_problems()
    kept = [name for name in (*source.kinds, *source.vectors) if name != column]

    def rows() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in batches:
            columns = made.columns(range(start, start + batch.num_rows))
            yield pa.RecordBatch.from_pydict({**{name: batch.column(name) for name in kept}, **columns})
            start += batch.num_rows

    kinds = {name: kind for name, kind in source.kinds.items() if name != column}
    vectors = {**source.vectors, **made.dimensions}
    return replace(source, kinds={**kinds, **made.kinds}, batches=rows(), vectors=vectors, notes=made.notes)


@dataclass(frozen=True)
class Made:
    """What is made of files, row by row.

    Attributes:
        where: Whose files they are, for people.
        told: Of every row the columns that it has a value of; None for a file that is no picture or recording.
        vectors: {row: vector} of the pictures that are compared together.
        name: Of the column of vectors.
        notes: What the vectors are.
        problems: The files that cannot be compared, with the reason of each.
    """

    where: str
    told: list[dict[str, Any] | None]
    vectors: dict[int, NDArray[np.float32]]
    name: str
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    @classmethod
    def of(
        cls,
        names: Sequence[str | None],
        files: Files,
        where: str,
        embedding: EmbeddingSettings | None,
        base: Path,
        seed: int,
        progress: Progress,
    ) -> Made:
        """Read every file once; as many pictures are held at once as the embedding takes, at most 32.

        Args:
            names: The file of each row.
            files: Where they are.
            where: Whose files they are, for people.
            embedding: What stands for a whole picture; a grid of its pixels if left out.
            base: The folder that the embedding's path starts from.
            seed: Of the pictures that are compared together.
            progress: Told (what, done, in all).

        Raises:
            InputRefused: There is no such embedding, or what decodes the files is not installed.
        """
        told: list[dict[str, Any] | None] = []
        problems: list[str] = []
        # Of very many pictures no more are embedded than are compared together.
        drawn = set(np.random.default_rng(seed).permutation(len(names))[:MOST_ROWS].tolist())
        with closing(PixelGrid() if embedding is None else OnnxEmbedding(embedding, base)) as chosen, files:
            vectors = _Waiting(chosen)
            for at, name in enumerate(names):
                progress(f"files of {where}", at, len(names))
                told.append({})
                try:
                    told[at] = {} if name is None else _look(files, name, at, vectors if at in drawn else None)
                except (NotThere, Unreadable) as error:
                    problems.append(f"{shown(name)} {error}")
            vectors.embed()
        notes = (chosen.words,) if vectors.found else ()
        return cls(where, told, vectors.found, chosen.name, notes, tuple(problems))

    @property
    def trouble(self) -> str:
        """How many files cannot be compared, and the first of them; empty where all can."""
        some, files = "; ".join(self.problems[:_SHOWN]), how_many(len(self.told), "file")
        return f"{len(self.problems):,} of {files} cannot be compared: {some}" if some else ""

    def refuse_problems(self) -> None:
        """Refuse files of which one cannot be compared.

        Raises:
            InputRefused: There is one.
        """
        if self.problems:
            raise InputRefused(self.trouble, where=self.where, fix="repair them or leave them out")

    @property
    def kinds(self) -> dict[str, Kind | None]:
        """The columns that some file has a value of."""
        known = {name for told in self.told for name in told or ()}
        return {name: "category" if name in _TEXTS else "number" for name in _COLUMNS if name in known}

    @property
    def dimensions(self) -> dict[str, int]:
        """The column of vectors and their length; empty without pictures."""
        first = next(iter(self.vectors.values()), None)
        return {} if first is None else {self.name: len(first)}

    def columns(self, rows: Sequence[int]) -> dict[str, pa.Array]:
        """The columns of some rows."""
        found = {}
        for name, kind in self.kinds.items():
            values = [(self.told[at] or {}).get(name) for at in rows]
            found[name] = normal_column(pa.array(values, pa.string() if name in _TEXTS else pa.float64()), kind)
        for name, dimensions in self.dimensions.items():
            found[name] = vector_array([self.vectors.get(at) for at in rows], dimensions)
        return found


class _Waiting:
    """Pictures that wait until there are as many as are embedded at once."""

    def __init__(self, embedding: Vectors) -> None:
        self._embedding = embedding
        self._waiting: dict[int, NDArray[Any]] = {}
        self.found: dict[int, NDArray[np.float32]] = {}

    def add(self, row: int, image: Image) -> None:
        self._waiting[row] = self._embedding.prepare(image)
        if len(self._waiting) == self._embedding.at_once:
            self.embed()

    def embed(self) -> None:
        if self._waiting:
            self.found.update(zip(self._waiting, self._embedding.of(list(self._waiting.values())), strict=True))
            self._waiting.clear()


def _look(files: Files, name: str, row: int, vectors: _Waiting | None) -> dict[str, Any] | None:
    """What is made of one file; None of one that is no picture or recording.

    Raises:
        NotThere: There is no such file.
        Unreadable: It is damaged.
        InputRefused: What decodes it is not installed.
    """
    facts = files.facts(name, row + 1)
    if facts.problem:
        raise Unreadable(facts.problem)
    if facts.kind not in _OF_KIND:
        return None
    values = {f"media_{name}": getattr(facts, name) for name in _OF_KIND[facts.kind]}
    try:
        if facts.kind == "audio":
            return {**values, "media_level": level(files.place(name))}
        image = decode(files.place(name))
    except ImportError as error:
        raise InputRefused(
            "pictures and sound cannot be decoded here", where=name, fix="pip install 'rai_assets[media]'"
        ) from error
    if vectors is not None:
        vectors.add(row, image)
    brightness, contrast = intensity(image)
    return {**values, "media_brightness": brightness, "media_contrast": contrast}
