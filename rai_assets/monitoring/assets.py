"""What is asked of every accepted batch, in the order in which it is made."""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import BaseModel

from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.data.media.settings import MediaSettings
from rai_assets.keys import CHAMPION
from rai_assets.metrics.requirements import Requirement, measured_by
from rai_assets.monitoring.batches.assets import batch_predictions
from rai_assets.monitoring.checks import ANSWERED, JUDGED_AGAIN
from rai_assets.monitoring.performance.settings import PerformanceSettings
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
    media: MediaSettings | None = None,
    folder: Path = Path(),
) -> list[ResultAsset]:
    """The assets that follow `batch`. A new question about batches is one more entry here.

    Args:
        settings: The declared production.
        explanation: How the model is explained.
        requirements: What must hold of the audit; it is judged again on the labels of every batch.
        reference_groups: The group that others are compared with in the audit, {column: value}.
        has_model: Whether the use case makes a model; else its batches carry logged decisions.
        media: The declared files that rows name.
        folder: Where declared paths start from.
    """
    performance = settings.performance
    questions = [
        _drift(settings, media, folder),
        _fairness_drift(performance),
        _estimated_performance(performance),
        _realized_performance(performance, requirements, reference_groups),
        *([_attribution_drift(performance, explanation)] if has_model else []),
    ]
    return [
        *([batch_predictions(settings.logged)] if has_model else []),
        data_profile(settings.profile),
        *(_asset(question, has_model=has_model) for question in questions),
    ]


@dataclass(frozen=True)
class _Question:
    """What is asked of a batch beside the reference.

    Attributes:
        thing: Last part of the asset key.
        description: Markdown a business owner understands.
        ask: The step and the reference in, an answer out.
        part: Its part of the declaration; a change of it makes a new result.
        judged: Requirements on its numbers.
    """

    thing: str
    description: str
    ask: Callable[["Stage", "Reference"], "Answer"]
    part: BaseModel
    judged: Sequence[Requirement] = ()


def _drift(production: ProductionSettings, media: MediaSettings | None, folder: Path) -> _Question:
    settings, logged = production.drift, production.logged.columns

    def ask(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.home import home
        from rai_assets.monitoring.batches.decoded import decoding_of
        from rai_assets.monitoring.batches.drifting import ask_drift

        decoding = decoding_of(media, settings, folder, home() / "production" / stage.keys.name)
        return ask_drift(stage, reference, settings, SEED, decoding, logged)

    return _Question("drift", DRIFT, ask, settings)


def _fairness_drift(settings: PerformanceSettings) -> _Question:
    def ask(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.questions import ask_fairness

        return ask_fairness(stage, reference, settings)

    return _Question("fairness_drift", FAIRNESS_DRIFT, ask, settings)


def _estimated_performance(settings: PerformanceSettings) -> _Question:
    def ask(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.performing import ask_estimate

        return ask_estimate(stage, reference, settings, SEED)

    return _Question("estimated_performance", ESTIMATED_PERFORMANCE, ask, settings)


def _realized_performance(
    settings: PerformanceSettings, requirements: Sequence[Requirement], reference_groups: Mapping[str, str] | None
) -> _Question:
    judged = [item for item in requirements if measured_by(item) in JUDGED_AGAIN]

    def ask(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.performing import Judged, ask_realized

        return ask_realized(stage, reference, settings, Judged(judged, reference_groups), SEED)

    return _Question("realized_performance", REALIZED_PERFORMANCE, ask, settings, judged)


def _attribution_drift(settings: PerformanceSettings, explanation: ExplanationSettings) -> _Question:
    def ask(stage: "Stage", reference: "Reference") -> "Answer":
        from rai_assets.monitoring.batches.questions import ask_attributions

        return ask_attributions(stage, reference, settings, explanation, SEED)

    return _Question("attribution_drift", ATTRIBUTION_DRIFT, ask, settings)


def _asset(question: _Question, *, has_model: bool) -> ResultAsset:
    """The asset of a question; decisions are logged where there is no model."""
    thing = question.thing

    def compute(stage: "Stage") -> "Result":
        from rai_assets.errors import Undefined
        from rai_assets.monitoring.batches.questions import result_of, unknown
        from rai_assets.monitoring.batches.reference import reference_of

        reference = reference_of(stage.repository, stage.keys.name, has_model=has_model)
        try:
            answer = question.ask(stage, reference)
        except Undefined as error:
            answer = unknown(thing, error.what)
        return result_of(stage, thing, reference, answer, seed=SEED)

    def outside(stage: "Stage") -> "list[str | None]":
        from rai_assets.monitoring.batches.labels import labels_digest
        from rai_assets.monitoring.batches.reference import reference_digest

        labels = labels_digest(stage.repository, stage.batch) if thing in _OF_LABELS else None
        return [reference_digest(stage, has_model=has_model), labels]

    reads = ("batch", "batch_predictions") if has_model else ("batch",)
    return ResultAsset(
        thing=thing,
        description=question.description,
        stage="monitoring",
        kinds=frozenset({"numpy"}),
        reads=reads,
        follows=(*reads[-1:], *([CHAMPION] if has_model else [])),
        settings=[question.part.model_dump(mode="json"), *(repr(item) for item in question.judged)],
        compute=compute,
        requirements=question.judged,
        present=_present,
        checks=ANSWERED[thing],
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
