"""Which columns of a batch have changed, each by itself and all together, the predictions and labels among them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from rai_assets.charts.text import chance
from rai_assets.compute.kept import Kept
from rai_assets.data.contract import Contract
from rai_assets.errors import Undefined, UsageError
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.number import Number
from rai_assets.model.predictions import DECISION, SCORE
from rai_assets.model.rows import ScoredRows
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.decoded import Decoding, Progress
from rai_assets.monitoring.batches.questions import Answer
from rai_assets.monitoring.batches.reference import Reference
from rai_assets.monitoring.batches.scoring import batch_of, predictions_of
from rai_assets.monitoring.batches.settings import COMPARED, MODEL_DECISION, MODEL_SCORE
from rai_assets.monitoring.checks import COLUMNS_ALONE, COLUMNS_TOGETHER
from rai_assets.monitoring.drift.compute import drift_of
from rai_assets.monitoring.drift.multivariate import multivariate_drift
from rai_assets.monitoring.drift.order import by_blocks
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings
from rai_assets.monitoring.drift.sources import Source, open_source
from rai_assets.store.stage import Stage


def ask_drift(
    stage: Stage,
    reference: Reference,
    settings: DriftSettings,
    seed: int,
    decoding: Decoding | None = None,
    logged: Sequence[str] = (),
) -> Answer:
    """Which columns, predictions and labels have changed, each by itself and all together; and the files rows name.

    Args:
        stage: The step on the batch.
        reference: What it is compared with.
        settings: How.
        seed: Of redrawn rows.
        decoding: How the files that rows name are decoded, where they name any.
        logged: Columns of the batch with logged predictions, which are compared as those of the model.
    """
    batch, whole = batch_of(stage), batch_of(stage).whole
    before_names, now_names, timestamp = _compared(reference, batch, settings, logged)
    uncut = isinstance(settings.chunks, str) and timestamp is None
    before = _before(reference, before_names, timestamp, settings, decoding, seed, stage.progress)
    decoded = None if decoding is None else decoding.of_batch(batch, stage.repository, seed, stage.progress)
    now, unscored = whole.select(now_names), ""
    now = now if decoded is None else decoded.beside(now)
    if reference.champion is not None:
        try:
            now = _with_predictions(now, predictions_of(stage), reference.champion.version.classes)
        except Undefined as error:
            unscored = error.what
    asked = settings.model_copy(
        update={
            "timestamp": timestamp,
            "chunks": None if uncut else settings.chunks,
            "importance": settings.importance or reference.importance,
        }
    )
    sides = before.source, open_source(now, "the batch", asked.categorical)
    try:
        alone = drift_of(sides, asked, seed=seed, kept=before.kept)
    except UsageError as error:
        raise Undefined(error.what) from error
    answers = (MODEL_DECISION, MODEL_SCORE) if unscored else ()
    rows = [replace(row, reason=unscored) if row.column in answers else row for row in alone.rows]
    together = multivariate_drift(
        before.ordered,
        now,
        reference.features_of(batch),
        seed=seed,
        ordered=timestamp is not None and by_blocks(asked, before.ordered.num_rows, now.num_rows),
        level=asked.level,
        minimum_effect=asked.minimum_effect,
        kept=before.kept,
    )
    absent = [name for name in before_names if name not in whole.column_names]
    notes = [f"Not in the batch: {', '.join(absent)}."] if absent else []
    if uncut:
        notes.append(f"Not compared {settings.chunks}, but all at once: not every row has a time.")
    notes += dict.fromkeys((*before.notes, *(decoded.notes if decoded else ())))
    found = Findings(
        numbers=[*_numbers(rows), *together.findings.numbers],
        charts=dict(together.findings.charts),
        notes=[*notes, *alone.notes, *together.findings.notes],
    )
    outcome, values = _alone(alone.drifted, rows, {*answers, *absent})
    checks = {
        COLUMNS_ALONE: (not alone.drifted, f"{outcome}. {values}" if values else outcome),
        COLUMNS_TOGETHER: _together(together.rows),
    }
    outward = {COLUMNS_ALONE: f"{outcome}. The run's page and the report say in which values."} if values else {}
    return Answer(found, checks, [row.as_json() for row in (*rows, *together.rows)], outward=outward)


def _compared(
    reference: Reference, batch: Batch, settings: DriftSettings, logged: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    """Columns of the reference and of a batch that are looked at, and that of the times by which rows are ordered.

    A column that only one of them has is looked at as well, so that it is said of it that it cannot be compared; but
    for labels that have not arrived. Rows have an order where every one has its time.
    """
    contract, whole = reference.contract, batch.whole

    def there(known: Contract) -> list[str]:
        return [item.name for item in known if any(role in item.roles for role in COMPARED)]

    target = contract.target
    arrived = target in whole.column_names and whole.column(target).null_count < whole.num_rows
    before = [name for name in there(contract) if arrived or name != target]
    new = [name for name in there(batch.contract) if name not in (*contract.names, *logged)]
    now = [name for name in (*before, *new) if name in whole.column_names]
    timestamp = _ordered_by(reference, batch, settings)
    times = () if timestamp is None else (timestamp,)
    return tuple(dict.fromkeys((*before, *times))), tuple(dict.fromkeys((*now, *times))), timestamp


def _ordered_by(reference: Reference, batch: Batch, settings: DriftSettings) -> str | None:
    """The column of the times of rows, where every row of both sides has one."""
    name = settings.timestamp or reference.contract.timestamp
    if name is None or name not in reference.contract or name not in batch.whole.column_names:
        return None
    if name not in batch.contract or batch.contract[name].dtype != "timestamp":
        return None
    known = batch.whole, reference.table([name])
    return None if any(table.column(name).null_count for table in known) else name


@dataclass(frozen=True)
class _Before:
    """The reference's rows with the columns that are compared, as they stand and by time, and what was made of them."""

    source: Source
    ordered: pa.Table
    notes: tuple[str, ...]
    kept: Kept = field(default_factory=Kept)


def _before(
    reference: Reference,
    columns: tuple[str, ...],
    timestamp: str | None,
    settings: DriftSettings,
    decoding: Decoding | None,
    seed: int,
    progress: Progress,
) -> _Before:
    def made() -> _Before:
        table = reference.table(columns)
        decoded = None if decoding is None else decoding.of_reference(reference, seed, progress)
        if decoded is not None:
            table = decoded.beside(table)
        if reference.champion is not None:
            table = _with_answers(table, reference.scored(reference.split))
        source = open_source(table, "the reference", settings.categorical)
        source = replace(source, batches=list(source.batches))  # read again for batches of another size
        ordered = table if timestamp is None else table.sort_by(timestamp)
        return _Before(source, ordered, decoded.notes if decoded else ())

    return reference.kept.once(("compared", columns, timestamp, tuple(settings.categorical), decoding, seed), made)


def _with_predictions(table: pa.Table, predictions: pa.Table, classes: Sequence[str]) -> pa.Table:
    """Decision and score of every row of a batch as two more columns."""
    if DECISION in predictions.column_names:
        decided = pa.array(classes, pa.string()).take(predictions.column(DECISION).combine_chunks())
        table = table.append_column(MODEL_DECISION, decided)
    if SCORE in predictions.column_names:
        table = table.append_column(MODEL_SCORE, predictions.column(SCORE))
    return table


def _with_answers(table: pa.Table, scored: ScoredRows) -> pa.Table:
    """Decision and score of the model as two more columns; rows that cannot be measured leave both out."""
    rows = scored.rows
    if not scored.keep.all():
        table = table.filter(pa.array(scored.keep))
    if rows.decision is not None:
        names = pa.array(rows.classes, pa.string())
        table = table.append_column(MODEL_DECISION, names.take(pa.array(rows.decision.astype("int32"))))
    if rows.score is not None and rows.score.ndim == 1:
        table = table.append_column(MODEL_SCORE, pa.array(rows.score))
    return table


def _numbers(rows: Sequence[DriftRow]) -> list[Number]:
    return [
        Number(
            row.definition, row.statistic, n=row.n_current, coordinates={"column": row.column},
            reason=row.reason if row.statistic is None else None,
        )
        for row in rows
        if row.definition
    ]  # fmt: skip


def _alone(alarms: Sequence[DriftRow], rows: Sequence[DriftRow], lost: Collection[str]) -> tuple[str, str]:
    """The outcome by the names of columns alone, and the values that make it, which may be a person's."""
    compared = {row.column for row in rows if row.drifted is not None}
    gone = list(dict.fromkeys(row.column for row in rows if row.column in lost))
    some = ", ".join(gone[:8]) + (f" and {len(gone) - 8} more" if len(gone) > 8 else "")
    untold = f". Cannot tell of {some}" if gone else ""
    if not compared:
        return f"cannot tell: no column can be compared{untold}", ""
    if not alarms:
        return f"none of {len(compared)} columns has changed beyond chance{untold}", ""
    names = list(dict.fromkeys(row.column for row in alarms))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    outcome = f"{len(names)} of {len(compared)} columns have changed: {', '.join(names[:8])}{more}{untold}"
    return outcome, "; ".join(f"{row.column}: {row.drivers}" for row in alarms[:3] if row.drivers)


def _together(rows: Sequence[DriftRow]) -> tuple[bool, str]:
    alarms = [row for row in rows if row.drifted]
    if not alarms:
        known = [row for row in rows if row.drifted is not None]
        said = "the columns together have not changed beyond chance" if known else f"cannot tell: {rows[0].reason}"
        return True, said
    told = [
        f"{row.method} {row.statistic:.3f} ({chance(row.family_p_value, named=True)})"
        for row in alarms
        if row.family_p_value is not None
    ]
    return False, "; ".join(told)
