"""Has a column changed between two samples: `drift(reference, current)`, without Dagster and without a use case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rai_assets.charts.text import cut
from rai_assets.errors import InputRefused
from rai_assets.monitoring.drift.chunks import Chunk, Plan
from rai_assets.monitoring.drift.columns import Kind, Vocabulary, aligned
from rai_assets.monitoring.drift.comparison import Comparison, blocks
from rai_assets.monitoring.drift.methods import Column
from rai_assets.monitoring.drift.result import DriftResult, DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings
from rai_assets.monitoring.drift.sources import Source, open_source

Progress = Callable[[str, int, int], None]


def drift(
    reference: Any,
    current: Any,
    settings: DriftSettings | None = None,
    *,
    seed: int = 0,
    header: Sequence[str] | None = None,
    progress: Progress = lambda *_: None,
) -> DriftResult:
    """Compare the columns that two samples have in common.

    Args:
        reference: What production is compared with: a path, a pandas frame, an Arrow table or a RecordBatchReader.
        current: The rows that may have drifted, likewise.
        settings: Methods, chunks and the rule that raises an alarm; the defaults if left out.
        seed: Of redrawn rows.
        header: Names of the columns of files of text that have only rows.
        progress: Told (what, done, in all) of what takes long.

    Raises:
        InputRefused: A side cannot be read, has no rows, or they have no column in common.
    """
    asked = settings or DriftSettings()
    known = (asked.categorical, asked.missing, header, progress)
    sides = [open_source(reference, "reference", *known), open_source(current, "current", *known)]
    kinds, refused = _common(sides[0], sides[1], asked)
    vocabularies = {name: Vocabulary() for name, kind in kinds.items() if kind == "category"}
    plan = Plan(kinds, vocabularies, asked.timestamp)
    # The current rows come first: their number may be the size of the reference's blocks.
    now = plan.read(sides[1], asked.chunks)
    _refuse_empty(sides[1], now)
    before = plan.read(sides[0], blocks(asked, now))
    _refuse_empty(sides[0], before)
    columns = [
        Column(name, kind, vocabularies[name].texts if name in vocabularies else ()) for name, kind in kinds.items()
    ]
    comparison = Comparison(asked, seed, columns, before, now)
    rows: list[DriftRow] = []
    for at, chunk in enumerate(now):
        progress("comparing chunks", at, len(now))
        rows += comparison.rows(at, chunk)
        rows += [DriftRow(name, chunk.label, rule=asked.rule, reason=reason) for name, reason in refused.items()]
    aligned.cache_clear()
    facts = {
        "reference": {"name": sides[0].name, "rows": sum(chunk.rows for chunk in before)},
        "current": {"name": sides[1].name, "rows": sum(chunk.rows for chunk in now)},
        "settings": asked.model_dump(mode="json"),
        "seed": seed,
    }
    return DriftResult(tuple(rows), tuple(comparison.notes(rows, now)), facts)


def _common(reference: Source, current: Source, asked: DriftSettings) -> tuple[dict[str, Kind], dict[str, str]]:
    """What every column of both sides holds, and why others are not compared."""
    every = list(dict.fromkeys([*reference.kinds, *reference.unread, *current.kinds, *current.unread]))
    kinds: dict[str, Kind] = {}
    refused: dict[str, str] = {}
    for name in every if not asked.only else asked.only:
        reason = reference.unread.get(name) or current.unread.get(name)
        known = [side for side in (reference, current) if name in side.kinds or name in side.unread]
        if len(known) < 2:
            reason = f"only {known[0].name} has it" if known else "neither side has it"
        held = {side.kinds.get(name) for side in (reference, current)} - {None}
        if reason is None and len(held) == 2:
            reason = f"{_words(reference, name)} in {reference.name}, {_words(current, name)} in {current.name}"
        if reason is not None:
            refused[name] = reason
        elif name != asked.timestamp or name in asked.only:
            kinds[name] = next((kind for kind in held if kind is not None), "number")
    if not kinds:
        raise InputRefused(
            f"{reference.name} and {current.name} have no column in common that can be compared",
            fix="; ".join(
                f"{side.name} has {', '.join(cut(name, 30) for name in [*side.kinds][:8])}"
                for side in (reference, current)
            ),
        )
    return kinds, refused


def _words(side: Source, name: str) -> str:
    return {"number": "numbers", "category": "texts", "time": "times"}[side.kinds[name] or "number"]


def _refuse_empty(side: Source, chunks: Sequence[Chunk]) -> None:
    if not any(chunk.rows for chunk in chunks):
        raise InputRefused("it has no rows", where=side.name, fix="compare samples with at least one row each")
