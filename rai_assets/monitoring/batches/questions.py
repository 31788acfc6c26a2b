"""The questions asked of one accepted batch, each with the checks that it answers and the result that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from rai_assets.analysis.explanation.compute import compute as explain
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.charts.text import chance
from rai_assets.compute.kept import Kept
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Verdict
from rai_assets.model.inputs import AuditInputs
from rai_assets.model.rows import ScoredRows
from rai_assets.model.scoring import ScoringSession
from rai_assets.monitoring.batches.decoded import Decoding, Progress
from rai_assets.monitoring.batches.reference import Reference, labels_of_scored, scored_batch
from rai_assets.monitoring.batches.scoring import batch_of
from rai_assets.monitoring.batches.settings import COMPARED, MODEL_DECISION, MODEL_SCORE
from rai_assets.monitoring.checks import COLUMNS_ALONE, COLUMNS_TOGETHER, GAPS_NOT_WIDER, SAME_REASONS
from rai_assets.monitoring.drift.compute import drift_of
from rai_assets.monitoring.drift.multivariate import multivariate_drift
from rai_assets.monitoring.drift.order import by_blocks
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings
from rai_assets.monitoring.drift.sources import Source, open_source
from rai_assets.monitoring.performance.attribution import EFFECT, attribution_drift
from rai_assets.monitoring.performance.fairness import fairness_drift
from rai_assets.monitoring.performance.realized import labelled_rows
from rai_assets.monitoring.performance.settings import PerformanceSettings
from rai_assets.store.results import Result, of_findings
from rai_assets.store.stage import Stage


@dataclass(frozen=True)
class Answer:
    """What was found of one batch.

    Attributes:
        findings: Numbers, charts, tables and notes.
        checks: {check: (it holds, the outcome in words)}; what cannot be told holds, and says so.
        rows: Comparisons, flat.
        verdicts: On the requirements that were judged, with their limits.
    """

    findings: Findings
    checks: Mapping[str, tuple[bool, str]]
    rows: Sequence[Mapping[str, Any]] = field(default=())
    verdicts: Sequence[tuple[Verdict, float]] = field(default=())


def result_of(stage: Stage, thing: str, reference: Reference, answer: Answer, *, seed: int | None) -> Result:
    """The result that is stored for an answer."""
    model = None if reference.champion is None else reference.champion.version.digest
    provenance = stage.provenance(model=model, seed=seed)
    facts = {
        "checks": {name: {"passed": passed, "sentence": said} for name, (passed, said) in answer.checks.items()},
        "rows": list(answer.rows),
        "verdicts": [
            {
                "id": item.requirement,
                "verdict": item.verdict,
                "sentence": item.sentence,
                "limit": limit,
                **{
                    name: None if item.number is None else getattr(item.number, name)
                    for name in ("value", "low", "high", "level")
                },
            }
            for item, limit in answer.verdicts
        ],
        "reference": {"commit": reference.dataset.commit, "split": reference.split, "digest": reference.digest},
    }
    return of_findings(thing, provenance, answer.findings, facts)


def ask_drift(
    stage: Stage, reference: Reference, settings: DriftSettings, seed: int, decoding: Decoding | None = None
) -> Answer:
    """Which columns, predictions and labels have changed, each by itself and all together; and the files rows name."""
    batch = batch_of(stage)
    contract = reference.contract
    ordered = settings.timestamp or contract.timestamp or ""
    names = [item.name for item in contract if any(role in item.roles for role in COMPARED)]
    now = batch.whole
    arrived = contract.target not in now.column_names or now.column(contract.target).null_count < now.num_rows
    shared = [name for name in names if name in now.column_names and (arrived or name != contract.target)]
    kept = [*shared, *([ordered] if ordered in now.column_names and ordered not in shared else [])]
    timestamp = ordered if ordered in kept else None
    before = _before(reference, tuple(kept), timestamp, settings, decoding, seed, stage.progress)
    features = [item for item in reference.features if item.name in shared]
    decoded = None if decoding is None else decoding.of_batch(batch, stage.repository, seed, stage.progress)
    rows = now.select(kept) if decoded is None else decoded.beside(now.select(kept))
    now = rows if reference.champion is None else _with_answers(rows, scored_batch(stage, reference))
    asked = settings.model_copy(
        update={
            "timestamp": timestamp,
            "importance": settings.importance or reference.importance,
        }
    )
    sides = before.source, open_source(now, "current", asked.categorical)
    alone = drift_of(sides, asked, seed=seed, kept=before.kept)
    together = multivariate_drift(
        before.ordered,
        now,
        features,
        seed=seed,
        ordered=timestamp is not None and by_blocks(asked, before.ordered.num_rows, now.num_rows),
        level=asked.level,
        minimum_effect=asked.minimum_effect,
        kept=before.kept,
    )
    absent = [name for name in names if name not in shared]
    notes = [f"Not in the batch: {', '.join(absent)}."] if absent else []
    notes += dict.fromkeys((*before.notes, *(decoded.notes if decoded else ())))
    found = Findings(
        numbers=[*_numbers(alone.rows), *together.findings.numbers],
        charts=dict(together.findings.charts),
        notes=[*notes, *alone.notes, *together.findings.notes],
    )
    checks = {COLUMNS_ALONE: _alone(alone.drifted, alone.rows), COLUMNS_TOGETHER: _together(together.rows)}
    return Answer(found, checks, [row.as_json() for row in (*alone.rows, *together.rows)])


def ask_attributions(
    stage: Stage, reference: Reference, settings: PerformanceSettings, explanation: ExplanationSettings, seed: int
) -> Answer:
    """Whether the champion goes by the same columns in the batch as in its audit."""
    champion, kept = reference.champion, reference.explanations()
    if champion is None or kept is None:
        return unknown(SAME_REASONS, "the champion's audit kept no explanations to compare with")
    table = batch_of(stage).whole
    scored = scored_batch(stage, reference)
    with ScoringSession(champion.version) as session:
        background = reference.table(split="train")
        inputs = AuditInputs(
            scored.table,
            scored.rows,
            reference.contract_with(table),
            session,
            background,
            seed=seed,
            progress=stage.progress,
        )
        now = explain(inputs, explanation)
    found, rows = Findings(), []
    units = {number.coordinates.get("class", ""): number.unit for number in kept.numbers}
    for name, before in kept.tables.items():
        if not name.startswith("attributions_") or not any(c.startswith(EFFECT) for c in before.column_names):
            continue
        index = int(name.rpartition("_")[2])
        output = champion.version.classes[index] if len(units) > 1 and champion.version.classes else ""
        compared = attribution_drift(
            before, now.tables[name], settings, seed=seed, unit=units.get(output, ""), output=output
        )
        found.numbers.extend(compared.findings.numbers)
        found.charts.update(compared.findings.charts)
        found.notes.extend(compared.findings.notes)
        rows += list(compared.rows)
    alarms = [row for row in rows if row.drifted and row.method == "attribution_ndcg"]
    said = "the order of the columns' importances agrees with that of the champion's audit"
    if alarms:
        moved = [row.column for row in rows if row.column and row.drifted][:5]
        said = f"the nDCG of the importances is {alarms[0].statistic:.3f}, below {settings.least_ndcg:.2f}"
        said += f"; what moved most: {', '.join(moved)}" if moved else ""
    return Answer(found, {SAME_REASONS: (not alarms, said)}, [row.as_json() for row in rows])


def ask_fairness(stage: Stage, reference: Reference, settings: PerformanceSettings) -> Answer:
    """Whether groups are farther apart than in the reference."""
    table = batch_of(stage).whole
    contract = reference.contract_with(table)
    if reference.contract.sensitive and not contract.sensitive:
        return unknown(GAPS_NOT_WIDER, f"the batch has no column {', '.join(reference.contract.sensitive)}")
    scored = scored_batch(stage, reference)
    labelled = None
    if reference.contract.target is not None:
        labelled = labelled_rows(scored, *labels_of_scored(stage, reference, scored), reference.contract)
    compared = fairness_drift(reference.scored(reference.split), scored, contract, settings, labelled=labelled)
    gone = [name for name in reference.contract.sensitive if name not in contract.sensitive]
    compared.findings.notes.extend(
        f"Cannot tell of the groups of {name}: the batch has no such column." for name in gone
    )
    grown = [change for change in compared.changes if change.verdict == "grew"]
    said = "no gap between groups is seen to have grown"
    if grown:
        named = [f"{item.definition.partition('@')[0]} by {item.sensitive} ({item.change:+.3f})" for item in grown[:3]]
        said = f"grown: {', '.join(named)}" + (f" and {len(grown) - 3} more" if len(grown) > 3 else "")
    checks = {GAPS_NOT_WIDER: (not grown, said)}
    return Answer(compared.findings, checks, [asdict(change) for change in compared.changes])


def unknown(check: str, why: str) -> Answer:
    """The answer where nothing can be told: no alarm, and the reason."""
    return Answer(Findings(notes=[f"Cannot tell: {why}."]), {check: (True, f"cannot tell: {why}")})


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
        source = open_source(table, "reference", settings.categorical)
        source = replace(source, batches=list(source.batches))  # read again for batches of another size
        ordered = table if timestamp is None else table.sort_by(timestamp)
        return _Before(source, ordered, decoded.notes if decoded else ())

    return reference.kept.once(("compared", columns, timestamp, tuple(settings.categorical), decoding, seed), made)


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


def _alone(alarms: Sequence[DriftRow], rows: Sequence[DriftRow]) -> tuple[bool, str]:
    compared = {row.column for row in rows if row.drifted is not None}
    if not compared:
        return True, "cannot tell: no column can be compared"
    if not alarms:
        return True, f"none of {len(compared)} columns has changed beyond chance"
    names = list(dict.fromkeys(row.column for row in alarms))
    told = "; ".join(f"{row.column}: {row.drivers}" if row.drivers else row.column for row in alarms[:3])
    return False, f"{len(names)} of {len(compared)} columns have changed: {', '.join(names[:8])}. {told}"


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
