"""What is asked of every accepted batch, in the order in which it is made."""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import BaseModel

from rai_assets.analysis.assets import measured_by
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.keys import CHAMPION
from rai_assets.metrics.requirements import Requirement
from rai_assets.monitoring.batches.assets import batch_predictions
from rai_assets.monitoring.profiles.assets import data_profile
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.store.assets import ResultAsset

if TYPE_CHECKING:
    from rai_assets.monitoring.batches.questions import Answer
    from rai_assets.monitoring.batches.reference import Reference
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

SEED = 0
_OF_LABELS = ("fairness_drift", "realized_performance")  # what new labels change
_SHOWN = 15  # columns whose effect Dagster plots over the batches

DRIFT = """\
Which columns of the batch, predictions among them, have changed against the rows that the serving model was audited on:
how large the change is, whether chance explains it, and which values make it.

All tests of one batch together raise a false alarm in at most the declared share of batches. A change is a finding
about the rows; whether it matters is for people and for the other assets to say."""
ATTRIBUTION_DRIFT = """\
Whether the serving model goes by the same columns in the batch as in its audit: the agreement of the order of their
importances, and the columns that moved."""
FAIRNESS_DRIFT = """\
Whether groups of people are farther apart in the batch than in the rows that the serving model was audited on."""
ESTIMATED_PERFORMANCE = """\
How often the serving model is right in the batch, estimated from its scores before labels arrive.

It follows a change in who is scored. It cannot see a change in what becomes of them."""

REALIZED_PERFORMANCE = """\
How well the batch was decided, measured on the labels that have arrived: the same metrics as in the audit, in all and
by group, the requirements judged on them, the share of rows that have a label, and whether estimates made without
labels held."""


def batch_assets(
    settings: ProductionSettings,
    explanation: ExplanationSettings,
    *,
    requirements: Sequence[Requirement] = (),
    reference_groups: Mapping[str, str] | None = None,
    has_model: bool,
) -> list[ResultAsset]:
    """The assets that follow `batch`. A new question about batches is one more entry here.

    Args:
        settings: The declared production.
        explanation: How the model is explained.
        requirements: What must hold of the audit; it is judged again on the labels of every batch.
        reference_groups: The group that others are compared with in the audit, {column: value}.
        has_model: Whether the use case makes a model; else its batches carry logged decisions.
    """

    def asset(
        thing: str,
        description: str,
        ask: Any,
        part: BaseModel,
        checks: Mapping[str, str],
        judged: Sequence[Requirement] = (),
    ) -> ResultAsset:
        return _asset(thing, description, ask, part, checks, judged, has_model=has_model)

    labelled = [item for item in requirements if measured_by(item) in ("evaluation", "fairness_audit")]

    def drift(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.questions import ask_drift

        return ask_drift(stage, reference, settings.drift, SEED)

    def attributions(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.questions import ask_attributions

        return ask_attributions(stage, reference, settings.performance, explanation, SEED)

    def fairness(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.questions import ask_fairness

        return ask_fairness(stage, reference, settings.performance)

    def estimate(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.performing import ask_estimate

        return ask_estimate(stage, reference, settings.performance, SEED)

    def realized(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.performing import Judged, ask_realized

        return ask_realized(stage, reference, settings.performance, Judged(labelled, reference_groups), SEED)

    together = "The columns together have not changed beyond chance."
    alone = "No column has changed beyond chance."
    lower = "The estimated performance is not below that on the calibration rows."
    return [
        *([batch_predictions(settings.logged)] if has_model else []),
        data_profile(settings.profile),
        asset(
            "drift", DRIFT, drift, settings.drift, {"columns_unchanged": alone, "columns_together_unchanged": together}
        ),
        asset(
            "fairness_drift",
            FAIRNESS_DRIFT,
            fairness,
            settings.performance,
            {"gaps_not_wider": "No gap between groups is seen to have grown."},
        ),
        asset(
            "estimated_performance",
            ESTIMATED_PERFORMANCE,
            estimate,
            settings.performance,
            {"performance_not_lower": lower},
        ),
        asset(
            "realized_performance",
            REALIZED_PERFORMANCE,
            realized,
            settings.performance,
            {
                "not_below_audit": "The performance that the labels show is not below that in the audit beyond chance.",
                "estimates_held": "What the labels show lies within the intervals of the estimates.",
            },
            labelled,
        ),
        *(
            [
                asset(
                    "attribution_drift",
                    ATTRIBUTION_DRIFT,
                    attributions,
                    settings.performance,
                    {"same_reasons": "The order of the columns' importances agrees with that of the champion's audit."},
                )
            ]
            if has_model
            else []
        ),
    ]


def _asset(
    thing: str,
    description: str,
    ask: Any,
    part: BaseModel,
    checks: Mapping[str, str],
    judged: Sequence[Requirement],
    *,
    has_model: bool,
) -> ResultAsset:
    """The asset of one question asked of a batch beside the reference.

    Args:
        thing: Last part of the asset key.
        description: Markdown a business owner understands.
        ask: The question: the step and the reference in, an answer out.
        part: Its part of the declaration; a change of it makes a new result.
        checks: {name: what holds when it passes}.
        judged: Requirements on its numbers.
        has_model: False where decisions are logged.
    """

    def compute(stage: "Stage") -> "Result":
        from rai_assets.monitoring.batches.questions import result_of
        from rai_assets.monitoring.batches.reference import reference_of

        reference = reference_of(stage.repository, stage.keys.name, has_model=has_model)
        return result_of(stage, thing, reference, ask(stage, reference), seed=SEED)

    def outside(stage: "Stage") -> "list[str | None]":
        from rai_assets.monitoring.batches.labels import labels_digest
        from rai_assets.monitoring.batches.reference import reference_digest

        labels = labels_digest(stage.repository, stage.batch) if thing in _OF_LABELS else None
        return [reference_digest(stage, has_model=has_model), labels]

    reads = ("batch", "batch_predictions") if has_model else ("batch",)
    return ResultAsset(
        thing=thing,
        description=description,
        stage="monitoring",
        kinds=frozenset({"numpy"}),
        reads=reads,
        follows=(*reads[-1:], *([CHAMPION] if has_model else [])),
        settings=[part.model_dump(mode="json"), *(repr(item) for item in judged)],
        compute=compute,
        requirements=judged,
        present=_present,
        checks=checks,
        outside=outside,
        per="batch",
    )


def _present(result: "Result") -> Mapping[str, Any]:
    """What Dagster plots over the batches, and the outcome in words."""
    ranked = [row for row in result.facts["rows"] if row.get("effect") is not None and row.get("rank")]
    effects = {
        f"{row['method']} of {row['column']}": float(row["effect"]) for row in sorted(ranked, key=_rank)[:_SHOWN]
    }
    alarms = sum(bool(row.get("drifted")) for row in result.facts["rows"])
    values = {
        number.definition.partition("@")[0]: float(number.value)
        for number in result.numbers
        if number.value is not None and not number.group and not number.coordinates
    }
    said = "\n".join(f"* {check['sentence']}" for check in result.facts["checks"].values())
    return {"outcome": dg.MetadataValue.md(said[:990]), "alarms": alarms, **values, **effects}


def _rank(row: Mapping[str, Any]) -> int:
    return int(row["rank"])
