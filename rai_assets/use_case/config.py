"""The declaration of a use case: strict, complete, and free of Dagster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from rai_assets.analysis.evaluation.settings import EvaluationSettings
from rai_assets.analysis.explanation.settings import ExplanationSettings
from rai_assets.analysis.fairness.settings import FairnessSettings
from rai_assets.data.columns import Strict
from rai_assets.data.settings import DatasetSettings
from rai_assets.errors import UsageError, near_names
from rai_assets.keys import USE_CASE_PATTERN, UseCaseKeys
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.requirements import Requirement
from rai_assets.model.settings import ModelSettings
from rai_assets.monitoring.alerts.settings import AlertSettings
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.use_case.checks import why_never_told
from rai_assets.use_case.timing import FreshnessSettings, RetentionSettings, ScheduleSettings
from rai_assets.use_case.watched import added_columns, check_production, refused

if TYPE_CHECKING:
    from rai_assets.data.contract import Contract

_OWNER = re.compile(r"team:[A-Za-z0-9_.-]+|[^@\s]+@[^@\s]+\.[^@\s]+")


# Last parts of asset keys, by what the declaration says; `test_graph.py` compares them with the graph.
_OF_EVERY = ("dataset", "evaluation", "fairness_audit", "scorecard")
_OF_A_MODEL = ("splits", "model", "predictions", "explanations", "champion")
_OF_PRODUCTION = (
    "batch",
    "data_profile",
    "drift",
    "fairness_drift",
    "estimated_performance",
    "realized_performance",
    "monitoring_report",
)
_OF_A_MODEL_IN_PRODUCTION = ("batch_predictions", "attribution_drift")


def _check_owner(text: str) -> str:
    if not _OWNER.fullmatch(text):
        raise ValueError(f"{text!r} is neither an e-mail address nor team:name")
    return text


class RequirementSettings(Strict):
    """What must hold of one number, and whether the gate depends on it.

    Attributes:
        id: Short name that people use for it, e.g. `R1`.
        text: The requirement in words, as agreed.
        definition: Id of the metric, e.g. `demographic_parity_difference`; without `@n` its newest version.
        sensitive: Columns whose groups a gap compares.
        group: One group, {column: value}, for a group's own rate.
        coordinates: Further coordinates, e.g. {class: cat} or {feature: age}.
        at_most: The number must not be above this.
        at_least: The number must not be under this.
        blocking: False for a requirement that is reported and not part of the gate.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    definition: Annotated[str, Field(min_length=1, max_length=100)]
    sensitive: list[str] = Field(default_factory=list)
    group: dict[str, str] = Field(default_factory=dict)
    coordinates: dict[str, str] = Field(default_factory=dict)
    at_most: float | None = None
    at_least: float | None = None
    blocking: bool = True

    @model_validator(mode="after")
    def _one_threshold(self) -> RequirementSettings:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("give one of `at_most` and `at_least`")
        if self.sensitive and self.group:
            raise ValueError("give `sensitive` (a gap between groups) or `group` (one group's number), not both")
        return self

    @model_validator(mode="after")
    def _definition_fits(self) -> RequirementSettings:
        try:
            found = definition(self.definition)
        except UsageError as error:
            raise ValueError(f"{error.what}; {error.fix}") from error
        if found.family in ("gap", "named gap") and not self.sensitive and not self.group:
            raise ValueError(f"{found.name} compares groups: say of which columns, `sensitive: [...]`")
        return self

    def as_requirement(self) -> Requirement:
        """The requirement that numbers are judged by."""
        return Requirement(**self.model_dump())


class Analyses(Strict):
    """The settings of each question asked of the model; what is left out runs with its defaults."""

    evaluation: EvaluationSettings = EvaluationSettings()
    fairness: FairnessSettings = FairnessSettings()
    explanation: ExplanationSettings = ExplanationSettings()


def _check_sensitive(contract: Contract, place: tuple[str | int, ...], column: str) -> None:
    if column not in contract.sensitive:
        there = ", ".join(contract.sensitive) or "none"
        raise refused(place, f"{column!r} is not a column with role `sensitive`; there are: {there}")


def _check_groups(contract: Contract, place: tuple[str | int, ...], group: Mapping[str, str]) -> None:
    """Refuse a group that no row can be in."""
    for column, value in group.items():
        _check_sensitive(contract, place, column)
        labels = contract[column].group_labels
        if labels is not None and value not in labels:
            there = ", ".join(map(repr, labels[:20])) + (", ..." if len(labels) > 20 else "")
            raise refused((*place, column), f"{column!r} has no group {value!r}; its groups are {there}")


class UseCase(Strict):
    """One business problem: its data, model, questions, requirements and people.

    Attributes:
        name: `[a-z][a-z0-9_]{2,40}`; names the asset group and the repository.
        title: Name for people; the name when left out.
        description: What is decided, about whom, and what for.
        owners: E-mail addresses or `team:name`.
        dataset: Files, format, columns, contract, split.
        model: How the model is made; None where the data carries logged decisions or scores.
        analyses: Settings of the analyses.
        requirements: What must hold before the model may serve.
        alerts: Who is told of what.
        schedules: What runs by itself at certain times.
        freshness: How old results may be.
        retention: How long what production leaves is kept.
        production: Where new data arrive when the model serves, and how they are watched; nothing is watched without.
    """

    name: Annotated[str, Field(pattern=USE_CASE_PATTERN)]
    title: Annotated[str, Field(max_length=200)] = ""
    description: Annotated[str, Field(max_length=10_000)] = ""
    owners: list[Annotated[str, AfterValidator(_check_owner)]] = Field(default_factory=list)
    dataset: DatasetSettings
    model: ModelSettings | None = None
    analyses: Analyses = Analyses()
    requirements: list[RequirementSettings] = Field(default_factory=list)
    alerts: AlertSettings = AlertSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    freshness: FreshnessSettings = FreshnessSettings()
    retention: RetentionSettings = RetentionSettings()
    production: ProductionSettings | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> UseCase:
        from rai_assets.data.contract import Contract

        contract = Contract.of(self.dataset)
        if self.model is None and contract.prediction is None and contract.score is None:
            raise ValueError(
                "there is neither a `model` nor a column with role `prediction` or `score`: name an estimator under "
                "`model`, or declare the column of the logged decisions"
            )
        if self.production is not None:
            check_production(self, self.production, contract)
        if self.model is not None and contract.target is None:
            raise ValueError("a model needs a column with role `target`")
        if self.freshness.batch is not None and self.production is None:
            raise refused(("freshness", "batch"), "there are no batches without `production`")
        if self.schedules.report is not None and self.production is None:
            raise refused(("schedules", "report"), "there is nothing to report on without `production`")
        if self.schedules.retention is not None and not self.retention.ages:
            raise refused(("schedules", "retention"), "there is nothing to remove without `retention`")
        for index, column in enumerate(self.analyses.fairness.stratifiers):
            if column not in contract:
                raise refused(("analyses", "fairness", "stratifiers", index), f"{column!r} is not a declared column")
        _check_groups(contract, ("analyses", "fairness", "reference"), self.analyses.fairness.reference)
        seen: set[str] = set()
        for index, requirement in enumerate(self.requirements):
            if requirement.id in seen:
                raise refused(("requirements", index, "id"), f"the requirement id {requirement.id!r} stands twice")
            seen.add(requirement.id)
            for column in requirement.sensitive:
                _check_sensitive(contract, ("requirements", index, "sensitive"), column)
            _check_groups(contract, ("requirements", index, "group"), requirement.group)
            self._check_coordinates(contract, ("requirements", index, "coordinates"), requirement.coordinates)
        for index, rule in enumerate(self.alerts.rules):
            if rule.asset is not None and rule.asset not in self.assets:
                said = f"there is no asset {rule.asset!r}; {near_names(rule.asset, self.assets)}"
                raise refused(("alerts", "rules", index, "asset"), said)
            fault = why_never_told(rule, self) if rule.check is not None else None
            if fault is not None:
                raise refused(("alerts", "rules", index, "check"), fault)
            for column in rule.sensitive:
                _check_sensitive(contract, ("alerts", "rules", index, "sensitive"), column)
            _check_groups(contract, ("alerts", "rules", index, "group"), rule.group)
            self._check_coordinates(contract, ("alerts", "rules", index, "coordinates"), rule.coordinates)
        return self

    @property
    def assets(self) -> tuple[str, ...]:
        """Last parts of the keys of its assets."""
        model, production = self.model is not None, self.production is not None
        return (
            *_OF_EVERY,
            *(_OF_A_MODEL if model else ()),
            *(_OF_PRODUCTION if production else ()),
            *(_OF_A_MODEL_IN_PRODUCTION if model and production else ()),
        )

    def _check_coordinates(
        self, contract: Contract, place: tuple[str | int, ...], coordinates: Mapping[str, str]
    ) -> None:
        """Refuse a place that no number can have."""
        several = contract.task == "multiclass"  # whose labels may be known from the data only
        choices: dict[str, tuple[str, ...] | None] = {
            "class": (contract.classes or None) if several else (),
            "feature": contract.features,
            "stratifier": tuple(self.analyses.fairness.stratifiers),
            "column": (*contract.names, *added_columns(self)),
        }
        for name, value in coordinates.items():
            known = choices.get(name)
            if known is not None and value not in known:
                there = ", ".join(map(repr, known[:20])) or "none"
                raise refused((*place, name), f"there is no {name} {value!r}; there are: {there}")

    @property
    def display_title(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name

    def keys(self, source: str = "") -> UseCaseKeys:
        """The names of everything that belongs to this use case."""
        return UseCaseKeys(self.name, tuple(self.owners), source)
