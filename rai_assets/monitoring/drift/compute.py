"""Has a column changed between two samples: `drift(reference, current)`, without Dagster and without a use case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rai_assets.charts.text import cut
from rai_assets.compute.kept import Kept
from rai_assets.errors import InputRefused, UsageError, near_names
from rai_assets.monitoring.drift.chunks import Before, Chunk, Plan
from rai_assets.monitoring.drift.columns import Kind, Vocabulary, aligned
from rai_assets.monitoring.drift.comparison import Comparison, blocks
from rai_assets.monitoring.drift.drawn import Drawn
from rai_assets.monitoring.drift.media.files import folder_source, table_source
from rai_assets.monitoring.drift.media.settings import MediaSettings
from rai_assets.monitoring.drift.methods import Column
from rai_assets.monitoring.drift.result import DriftResult, DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings, settings_of
from rai_assets.monitoring.drift.sources import Source, open_source
from rai_assets.monitoring.drift.vectors import compare_columns, compare_vectors, one_family

Progress = Callable[[str, int, int], None]


def drift(
    reference: Any,
    current: Any,
    settings: DriftSettings | Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    header: Sequence[str] | None = None,
    media: MediaSettings | None = None,
    together: bool = False,
    progress: Progress = lambda *_: None,
) -> DriftResult:
    """Compare the columns that two samples have in common.

    Args:
        reference: What production is compared with: the path of a file or of a folder of pictures or recordings, a
            pandas frame, an Arrow table or a RecordBatchReader.
        current: The rows that may have drifted, likewise.
        settings: Methods, chunks and the rule that raises an alarm, also as a dict of the same names; the defaults if
            left out.
        seed: Of redrawn rows.
        header: Names of the columns of files of text that have only rows.
        media: How pictures and recordings are compared, and the column of a table that names them.
        together: Also compare the rows as wholes, of all columns of numbers and texts: a domain classifier and the
            error of PCA reconstruction, on 10,000 rows of a side at most. Their column is the empty name.
        progress: Told (what, done, in all) of what takes long.

    Raises:
        InputRefused: A side cannot be read, has no rows, or they have no column in common.
        UsageError: The settings do not fit, or name a column that neither side has.
    """
    asked = settings if isinstance(settings, DriftSettings) else settings_of({} if settings is None else settings)
    files = media or MediaSettings()
    named = [(reference, "reference"), (current, "current")]
    sides = [_opened(data, name, asked, files, seed, header, progress) for data, name in named]
    if sides[0].name == sides[1].name:  # two folders with a file of one name
        sides = [replace(side, name=f"{role} {side.name}") for side, (_, role) in zip(sides, named, strict=True)]
    _refuse_unknown(sides, asked, header or ())
    _refuse_apart(sides[0], sides[1], asked)
    return drift_of(sides, asked, seed=seed, media=files, together=together, progress=progress)


def drift_of(
    sides: Sequence[Source],
    asked: DriftSettings,
    *,
    seed: int,
    media: MediaSettings | None = None,
    together: bool = False,
    kept: Kept | None = None,
    progress: Progress = lambda *_: None,
) -> DriftResult:
    """Compare the columns that two opened sides have in common; settings of a column that neither has say nothing.

    A column that cannot be compared has a row with the reason.

    Args:
        sides: Reference and current rows.
        asked: Methods, chunks and the rule that raises an alarm.
        seed: Of redrawn rows.
        media: How pictures and recordings were read.
        together: Also compare the rows as wholes.
        kept: What was made of these very rows of the reference for other batches; its source is a list then.
        progress: Told (what, done, in all) of what takes long.

    Raises:
        InputRefused: A side cannot be read, or has no rows.
    """
    files = media or MediaSettings()
    kinds, vectors, refused = _common(sides[0], sides[1], asked)
    wholes = [*vectors, *(kinds if together else ())]
    drawn = [Drawn(wholes, asked.timestamp, np.random.default_rng([seed, at])) for at in (0, 1)]
    if wholes:
        sides = [rows.tapped(side) for rows, side in zip(drawn, sides, strict=True)]
        kept = None  # rows are drawn as they are read
    vocabularies = _vocabularies(kinds, sides[0], kept)
    plan = Plan(kinds, vocabularies, asked.timestamp)
    # The current rows come first: their number may be the size of the reference's blocks.
    now = plan.read(sides[1], asked.chunks)
    _refuse_empty(sides[1], now)
    size = blocks(asked, now)
    counted = Kept() if kept is None else kept.once("counted", lambda: Kept(1))  # as large as the reference
    key = tuple(kinds.items()), asked.timestamp, size
    before = counted.once(key, lambda: Before(plan.read(sides[0], size)))
    _refuse_empty(sides[0], before.chunks)
    columns = [
        Column(name, kind, vocabularies[name].texts if name in vocabularies else ()) for name, kind in kinds.items()
    ]
    comparison = Comparison(asked, seed, columns, before, now)
    rows: list[DriftRow] = []
    for at, chunk in enumerate(now):
        progress("comparing chunks", at, len(now))
        rows += comparison.rows(at, chunk)
        rows += [DriftRow(name, chunk.label, rule=asked.rule, reason=reason) for name, reason in refused.items()]
    before_drawn, now_drawn = (side.table() for side in drawn)
    found = [row for name in vectors for row in compare_vectors(name, before_drawn, now_drawn, asked, seed)]
    # In an order the wholes are a family of their own: blocks cannot tell more tests than those that share them.
    rows = one_family([*rows, *found], asked) if found and not comparison.ordered else [*rows, *found]
    if together:
        rows += compare_columns(kinds, before_drawn, now_drawn, asked, seed)
    aligned.cache_clear()
    facts = {
        "reference": {"name": sides[0].name, "rows": sum(chunk.rows for chunk in before.chunks)},
        "current": {"name": sides[1].name, "rows": sum(chunk.rows for chunk in now)},
        "settings": asked.model_dump(mode="json"),
        "media": files.model_dump(mode="json"),
        "seed": seed,
    }
    said = dict.fromkeys(note for side in sides for note in side.notes)
    return DriftResult(tuple(rows), (*comparison.notes(rows, now), *said), facts)


def _opened(
    data: Any,
    name: str,
    asked: DriftSettings,
    files: MediaSettings,
    seed: int,
    header: Sequence[str] | None,
    progress: Progress,
) -> Source:
    path = Path(data) if isinstance(data, str | Path) else None
    if path is not None and path.is_dir():
        return folder_source(path, files, seed, progress)
    source = open_source(data, name, asked.categorical, asked.missing, header, progress)
    if files.column is None:
        if files.embedding is not None:
            raise UsageError(
                "an embedding is one of pictures, and no column is said to name any",
                where=source.name,
                fix="name the column with their paths (media), or compare two folders of them",
            )
        return source
    return table_source(source, Path.cwd() if path is None else path.resolve().parent, files, seed, progress)


def _refuse_unknown(sides: Sequence[Source], asked: DriftSettings, header: Sequence[str]) -> None:
    """Refuse what is said of a column that neither side has: it would be left out without a word."""
    said = {("method" if where == "columns" else where): names for where, names in asked.named_columns.items()}
    there = list(dict.fromkeys(name for side in sides for name in side.columns))
    for where, names in {**said, "columns": header}.items():
        for name in names:
            if there and name not in there:
                raise UsageError(
                    f"neither {sides[0].name} nor {sides[1].name} has a column {cut(name, 60)!r}",
                    where=where,
                    fix=near_names(name, there),
                )


def _common(
    reference: Source, current: Source, asked: DriftSettings
) -> tuple[dict[str, Kind], list[str], dict[str, str]]:
    """What every column of both sides holds, which hold vectors, and why others are not compared."""
    sides = (reference, current)
    every = dict.fromkeys(name for side in sides for name in side.columns)
    kinds: dict[str, Kind] = {}
    vectors: list[str] = []
    refused: dict[str, str] = {}
    for name in asked.only or every:
        reason = reference.unread.get(name) or current.unread.get(name)
        known = [side for side in sides if name in side.kinds or name in side.unread or name in side.vectors]
        if len(known) < 2:
            reason = f"only {known[0].name} has it" if known else "neither side has it"
        held = {side.kinds.get(name) for side in known if name not in side.vectors} - {None}
        lengths = {side.vectors[name] for side in known if name in side.vectors}
        if reason is None and len(held) + len(lengths) == 2:
            reason = f"{_words(reference, name)} in {reference.name}, {_words(current, name)} in {current.name}"
        if reason is not None:
            refused[name] = reason
        elif lengths:
            vectors.append(name)
        elif name != asked.timestamp or name in asked.only:
            kinds[name] = next((kind for kind in held if kind is not None), "number")
    return kinds, vectors, refused


def _refuse_apart(reference: Source, current: Source, asked: DriftSettings) -> None:
    kinds, vectors, _ = _common(reference, current, asked)
    if not kinds and not vectors:
        raise InputRefused(
            f"{reference.name} and {current.name} have no column in common that can be compared",
            fix="; ".join(
                f"{side.name} has {', '.join(cut(name, 30) for name in [*side.kinds][:8])}"
                for side in (reference, current)
            ),
        )


def _words(side: Source, name: str) -> str:
    if name in side.vectors:
        return f"vectors of {side.vectors[name]} numbers"
    return {"number": "numbers", "category": "texts", "time": "times"}[side.kinds[name] or "number"]


def _vocabularies(kinds: Mapping[str, Kind], reference: Source, kept: Kept | None) -> dict[str, Vocabulary]:
    """For the texts of every column of texts; a reference that is kept numbers them for all batches."""
    names = [name for name, kind in kinds.items() if kind == "category"]

    def texts() -> dict[str, list[str]]:
        seen = {name: Vocabulary() for name in names}
        Plan(dict.fromkeys(names, "category"), seen).read(reference, None)
        return {name: vocabulary.texts for name, vocabulary in seen.items()}

    known = {} if kept is None else kept.once(("texts", *names), texts)
    return {name: Vocabulary(known.get(name, ())) for name in names}


def _refuse_empty(side: Source, chunks: Sequence[Chunk]) -> None:
    if not any(chunk.rows for chunk in chunks):
        raise InputRefused("it has no rows", where=side.name, fix="compare samples with at least one row each")
