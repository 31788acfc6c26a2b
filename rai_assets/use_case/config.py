"""The declaration of a use case: strict, complete, and free of Dagster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

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
from rai_assets.monitoring.batches.settings import COMPARED, MODEL_DECISION, MODEL_SCORE, LoggedSettings
from rai_assets.monitoring.drift.settings import COMPARING, DEFINITIONS, OF_CODES, UNBOUNDED, DriftSettings
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.use_case.checks import why_never_told
from rai_assets.use_case.timing import FreshnessSettings, RetentionSettings, ScheduleSettings

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
_HOLDS = {"number": "number", "integer": "number", "timestamp": "time"}  # {dtype: what drift compares it as}


def _check_owner(text: str) -> str:
    if not _OWNER.fullmatch(text):
        raise ValueError(f"{text!r} is neither an e-mail address nor team:name")
    return text


def _refused(place: tuple[str | int, ...], message: str) -> PydanticCustomError:
    """An error of the whole that belongs to one place in it."""
    return PydanticCustomError("declaration", "{message}", {"message": message, "place": place})


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
        raise _refused(place, f"{column!r} is not a column with role `sensitive`; there are: {there}")


def _check_groups(contract: Contract, place: tuple[str | int, ...], group: Mapping[str, str]) -> None:
    """Refuse a group that no row can be in."""
    for column, value in group.items():
        _check_sensitive(contract, place, column)
        labels = contract[column].group_labels
        if labels is not None and value not in labels:
            there = ", ".join(map(repr, labels[:20])) + (", ..." if len(labels) > 20 else "")
            raise _refused((*place, column), f"{column!r} has no group {value!r}; its groups are {there}")


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
        self._check_production(contract)
        if self.model is not None and contract.target is None:
            raise ValueError("a model needs a column with role `target`")
        if self.freshness.batch is not None and self.production is None:
            raise _refused(("freshness", "batch"), "there are no batches without `production`")
        if self.schedules.report is not None and self.production is None:
            raise _refused(("schedules", "report"), "there is nothing to report on without `production`")
        if self.schedules.retention is not None and not self.retention.ages:
            raise _refused(("schedules", "retention"), "there is nothing to remove without `retention`")
        for index, column in enumerate(self.analyses.fairness.stratifiers):
            if column not in contract:
                raise _refused(("analyses", "fairness", "stratifiers", index), f"{column!r} is not a declared column")
        _check_groups(contract, ("analyses", "fairness", "reference"), self.analyses.fairness.reference)
        seen: set[str] = set()
        for index, requirement in enumerate(self.requirements):
            if requirement.id in seen:
                raise _refused(("requirements", index, "id"), f"the requirement id {requirement.id!r} stands twice")
            seen.add(requirement.id)
            for column in requirement.sensitive:
                _check_sensitive(contract, ("requirements", index, "sensitive"), column)
            _check_groups(contract, ("requirements", index, "group"), requirement.group)
            self._check_coordinates(contract, ("requirements", index, "coordinates"), requirement.coordinates)
        for index, rule in enumerate(self.alerts.rules):
            if rule.asset is not None and rule.asset not in self.assets:
                said = f"there is no asset {rule.asset!r}; {near_names(rule.asset, self.assets)}"
                raise _refused(("alerts", "rules", index, "asset"), said)
            fault = why_never_told(rule, self) if rule.check is not None else None
            if fault is not None:
                raise _refused(("alerts", "rules", index, "check"), fault)
            for column in rule.sensitive:
                _check_sensitive(contract, ("alerts", "rules", index, "sensitive"), column)
            _check_groups(contract, ("alerts", "rules", index, "group"), rule.group)
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

    def _check_production(self, contract: Contract) -> None:
        if self.production is None:
            return
        if self.production.labels is not None and (not contract.identifiers or contract.target is None):
            raise _refused(
                ("production", "labels"),
                "labels are joined on the identifier: a column with role `identifier` and one with role `target` are "
                "needed",
            )
        if self.production.drift.embedding is not None and self.dataset.media is None:
            said = "an embedding is of pictures, and the rows name none: declare their folder, `dataset: {media: ...}`"
            raise _refused(("production", "drift", "embedding"), said)
        self._check_logged(contract, self.production.logged)
        self._check_watched(contract, self.production)
        if self.production.performance.calibration == "calibration" and not self.dataset.has_calibration:
            raise _refused(
                ("production", "performance", "calibration"),
                "no rows are for calibration: name some under `dataset: split`, or leave this out",
            )
        stamp = contract.timestamp
        if self.production.batch.by_event and (stamp is None or contract[stamp].dtype != "timestamp"):
            raise _refused(
                ("production", "batch"),
                f"`{self.production.batch.rule}` by event time needs a column with role `timestamp` and dtype "
                "`timestamp`; or say `by: arrival time`",
            )

    def _check_watched(self, contract: Contract, production: ProductionSettings) -> None:
        """Refuse what is said of a column that no batch is looked at by."""
        for index, column in enumerate(production.profile.by):
            if column not in contract:
                said = f"{column!r} is not a declared column; {near_names(column, contract.names)}"
                raise _refused(("production", "profile", "by", index), said)
        compared = [name for role in COMPARED for name in contract.with_role(role)]
        answers = () if self.model is None else (MODEL_DECISION, MODEL_SCORE)
        decoded = () if self.dataset.media is None else production.drift.decoded
        times = [column.name for column in contract if column.dtype == "timestamp"]
        for key, names in production.drift.named_columns.items():
            known = times if key == "timestamp" else [*dict.fromkeys(compared), *answers, *decoded]
            for name in names:
                if name not in known:
                    kind = "column of times" if key == "timestamp" else "column that drift is looked at in"
                    fix = near_names(name, known) if known else "there is none"
                    raise _refused(("production", "drift", key), f"{name!r} is no {kind}; {fix}")

        self._check_methods(contract, production.drift)
        asked = {*production.drift.methods, *production.drift.limits, *chain(*production.drift.columns.values())}
        bounded = not UNBOUNDED & asked and production.drift.rule != "evidently" and self.dataset.media is None
        if production.drift.minimum_effect > 1 and bounded:
            said = "no effect but those of psi and wasserstein is above 1, and neither is asked for"
            raise _refused(("production", "drift", "minimum_effect"), said)
        if production.drift.null == "blocks" and not (
            production.drift.chunks or production.drift.timestamp or contract.timestamp
        ):
            said = "rows have no order whose blocks could be compared: name `timestamp`, or `chunks` of so many rows"
            raise _refused(("production", "drift", "null"), said)

    def _check_methods(self, contract: Contract, drift: DriftSettings) -> None:
        """Refuse a method for a column that holds what the method does not compare."""
        kinds = {column.name: _HOLDS.get(column.dtype, "category") for column in contract}
        kinds |= {MODEL_SCORE: "number"} | dict.fromkeys((*drift.categorical, MODEL_DECISION), "category")
        for column, methods in drift.columns.items():
            kind = kinds.get(column, "number")
            if OF_CODES.issuperset(methods):
                continue  # how many values a number has is known with the data
            for index, method in enumerate(methods):
                if method not in COMPARING[kind]:
                    there = ", ".join(name for name in DEFINITIONS if name in COMPARING[kind])
                    what = "values that are no numbers" if kind == "category" else "numbers"
                    what += "" if method not in OF_CODES else " that another method is named for"
                    said = f"{method} does not compare what {column!r} holds, {what}; there are {there}"
                    raise _refused(("production", "drift", "columns", column, index), said)

    def _check_logged(self, contract: Contract, logged: LoggedSettings) -> None:
        for key, name in (("score", logged.score), ("decision", logged.decision)):
            place = ("production", "logged", key)
            if name is None:
                continue
            if self.model is None:
                raise _refused(place, "without a `model` the logged columns have role `prediction` or `score`")
            if name in self.dataset.columns:
                raise _refused(place, f"{name!r} is declared under `dataset`, and only batches have logged predictions")
            if (key, contract.task) in (("score", "multiclass"), ("decision", "regression")):
                raise _refused(place, f"no {key} of a {contract.task} model can be logged here")

    def _check_coordinates(
        self, contract: Contract, place: tuple[str | int, ...], coordinates: Mapping[str, str]
    ) -> None:
        """Refuse a place that no number can have."""
        several = contract.task == "multiclass"  # whose labels may be known from the data only
        choices: dict[str, tuple[str, ...] | None] = {
            "class": (contract.classes or None) if several else (),
            "feature": contract.features,
            "stratifier": tuple(self.analyses.fairness.stratifiers),
            "column": contract.names,
        }
        for name, value in coordinates.items():
            known = choices.get(name)
            if known is not None and value not in known:
                there = ", ".join(map(repr, known[:20])) or "none"
                raise _refused((*place, name), f"there is no {name} {value!r}; there are: {there}")

    @property
    def display_title(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name

    def keys(self, source: str = "") -> UseCaseKeys:
        """The names of everything that belongs to this use case."""
        return UseCaseKeys(self.name, tuple(self.owners), source)
