"""The questions asked of one accepted batch, each with the checks that it answers and the result that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rai_assets.analysis.explanation.compute import compute as explain
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.errors import Undefined
from rai_assets.metrics.findings import Findings
from rai_assets.metrics.requirements import Verdict
from rai_assets.model.inputs import AuditInputs
from rai_assets.model.scoring import ScoringSession
from rai_assets.monitoring.batches.reference import Reference, labels_of_scored, scored_batch
from rai_assets.monitoring.batches.scoring import batch_of, lacking
from rai_assets.monitoring.checks import ANSWERED, GAPS_NOT_WIDER, SAME_REASONS
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
        outward: {check: its outcome without a value of a row}, of those whose sentence may quote one: alerts leave this
            machine.
    """

    findings: Findings
    checks: Mapping[str, tuple[bool, str]]
    rows: Sequence[Mapping[str, Any]] = field(default=())
    verdicts: Sequence[tuple[Verdict, float]] = field(default=())
    outward: Mapping[str, str] = field(default_factory=dict)


def result_of(stage: Stage, thing: str, reference: Reference, answer: Answer, *, seed: int | None) -> Result:
    """The result that is stored for an answer."""
    model = None if reference.champion is None else reference.champion.version.digest
    provenance = stage.provenance(model=model, seed=seed)
    facts = {
        "checks": {
            name: {
                "passed": passed,
                "sentence": said,
                **({"outward": answer.outward[name]} if name in answer.outward else {}),
            }
            for name, (passed, said) in answer.checks.items()
        },
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


def ask_attributions(
    stage: Stage, reference: Reference, settings: PerformanceSettings, explanation: ExplanationSettings, seed: int
) -> Answer:
    """Whether the champion goes by the same columns in the batch as in its audit."""
    champion, kept = reference.champion, reference.explanations()
    if champion is None or kept is None:
        raise Undefined("the champion's audit kept no explanations to compare with")
    if lacks := lacking(champion.version.features, batch_of(stage).contract):
        raise Undefined(f"the champion reads {', '.join(lacks.values())}")
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
        raise Undefined(f"the batch has no column {', '.join(reference.contract.sensitive)}")
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


def unknown(thing: str, why: str) -> Answer:
    """The answer of an asset where nothing can be told: no alarm, and the reason."""
    checks = dict.fromkeys(ANSWERED[thing], (True, f"cannot tell: {why}"))
    return Answer(Findings(notes=[f"Cannot tell: {why}."]), checks)
