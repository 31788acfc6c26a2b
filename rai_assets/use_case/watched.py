"""What a declaration says of production, held against its data set and its model: what cannot work is refused."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from rai_assets.errors import near_names
from rai_assets.monitoring.batches.settings import COMPARED, MODEL_DECISION, MODEL_SCORE, LoggedSettings
from rai_assets.monitoring.drift.settings import COMPARING, DEFINITIONS, OF_CODES, UNBOUNDED, DriftSettings
from rai_assets.monitoring.settings import ProductionSettings

if TYPE_CHECKING:
    from rai_assets.data.contract import Contract
    from rai_assets.use_case.config import UseCase

_HOLDS = {"number": "number", "integer": "number", "timestamp": "time"}  # {dtype: what drift compares it as}


def refused(place: tuple[str | int, ...], message: str) -> PydanticCustomError:
    """An error of the whole that belongs to one place in it."""
    return PydanticCustomError("declaration", "{message}", {"message": message, "place": place})


def check_production(use_case: UseCase, production: ProductionSettings, contract: Contract) -> None:
    """Refuse what cannot work, as far as the declaration tells.

    Args:
        use_case: The declaration.
        production: Its part about production.
        contract: Of its data set.

    Raises:
        PydanticCustomError: What, and at which place.
    """
    if production.labels is not None and (not contract.identifiers or contract.target is None):
        raise refused(
            ("production", "labels"),
            "labels are joined on the identifier: a column with role `identifier` and one with role `target` are "
            "needed",
        )
    if production.drift.embedding is not None and use_case.dataset.media is None:
        said = "an embedding is of pictures, and the rows name none: declare their folder, `dataset: {media: ...}`"
        raise refused(("production", "drift", "embedding"), said)
    _check_logged(use_case, contract, production.logged)
    _check_columns(use_case, contract, production)
    _check_methods(contract, production.drift)
    _check_drift(use_case, contract, production.drift)
    if production.performance.calibration == "calibration" and not use_case.dataset.has_calibration:
        raise refused(
            ("production", "performance", "calibration"),
            "no rows are for calibration: name some under `dataset: split`, or leave this out",
        )
    stamp = contract.timestamp
    if production.batch.by_event and (stamp is None or contract[stamp].dtype != "timestamp"):
        raise refused(
            ("production", "batch"),
            f"`{production.batch.rule}` by event time needs a column with role `timestamp` and dtype "
            "`timestamp`; or say `by: arrival time`",
        )


def added_columns(use_case: UseCase) -> tuple[str, ...]:
    """The columns that drift looks at beside those of the batch: answers of the model, facts of decoded files."""
    answers = () if use_case.model is None else (MODEL_DECISION, MODEL_SCORE)
    watched = use_case.production if use_case.dataset.media is not None else None
    return (*answers, *(watched.drift.decoded if watched is not None else ()))


def _check_columns(use_case: UseCase, contract: Contract, production: ProductionSettings) -> None:
    """Refuse what is said of a column that no batch is looked at by."""
    for index, column in enumerate(production.profile.by):
        if column not in contract:
            said = f"{column!r} is not a declared column; {near_names(column, contract.names)}"
            raise refused(("production", "profile", "by", index), said)
        held = contract[column]
        if "identifier" in held.roles or (held.dtype in ("number", "timestamp") and held.settings.edges is None):
            said = f"{column!r} has no groups: every row has its own value; name a category, or a number with `edges`"
            raise refused(("production", "profile", "by", index), said)
    compared = [name for role in COMPARED for name in contract.with_role(role)]
    times = [column.name for column in contract if column.dtype == "timestamp"]
    for key, names in production.drift.named_columns.items():
        known = times if key == "timestamp" else [*dict.fromkeys(compared), *added_columns(use_case)]
        for name in names:
            if name not in known:
                kind = "column of times" if key == "timestamp" else "column that drift is looked at in"
                fix = near_names(name, known) if known else "there is none"
                raise refused(("production", "drift", key), f"{name!r} is no {kind}; {fix}")


def _check_drift(use_case: UseCase, contract: Contract, drift: DriftSettings) -> None:
    """Refuse what could never alarm, or never be told."""
    asked = {*drift.methods, *drift.limits, *chain(*drift.columns.values())}
    bounded = not UNBOUNDED & asked and drift.rule != "evidently" and use_case.dataset.media is None
    if drift.minimum_effect > 1 and bounded:
        said = "no effect but those of psi and wasserstein is above 1, and neither is asked for"
        raise refused(("production", "drift", "minimum_effect"), said)
    if drift.null == "blocks" and not (drift.chunks or drift.timestamp or contract.timestamp):
        said = "rows have no order whose blocks could be compared: name `timestamp`, or `chunks` of so many rows"
        raise refused(("production", "drift", "null"), said)


def _check_methods(contract: Contract, drift: DriftSettings) -> None:
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
                raise refused(("production", "drift", "columns", column, index), said)


def _check_logged(use_case: UseCase, contract: Contract, logged: LoggedSettings) -> None:
    for key, name in (("score", logged.score), ("decision", logged.decision)):
        place = ("production", "logged", key)
        if name is None:
            continue
        if use_case.model is None:
            raise refused(place, "without a `model` the logged columns have role `prediction` or `score`")
        if name in use_case.dataset.columns:
            raise refused(place, f"{name!r} is declared under `dataset`, and only batches have logged predictions")
        if (key, contract.task) in (("score", "multiclass"), ("decision", "regression")):
            raise refused(place, f"no {key} of a {contract.task} model can be logged here")
