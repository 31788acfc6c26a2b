"""Charts of the fairness audit: the leading measure by group, error rates, calibration, and the gaps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rai_assets.analysis.fairness.words import columns_name
from rai_assets.charts import grouped_interval_bars, interval_bars
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping, Rows

Charts = dict[str, dict[str, Any]]

_LEADING = {
    "binary": ("selection_rate", "mean_score"),
    "multiclass": ("accuracy",),
    "regression": ("mean_error", "mean_prediction"),
}
_PAIRS = {
    "binary": {
        "errors": ("True and false positive rate", "true_positive_rate", "false_positive_rate"),
        "calibration": ("Mean score against what turned out true", "mean_score", "base_rate"),
    },
    "multiclass": {},
    "regression": {"level": ("Mean prediction against mean target", "mean_prediction", "mean_target")},
}
_BY_CLASS = ("selection_rate", "true_positive_rate")


def of_groups(grouping: Grouping, numbers: Sequence[Number], overall: Sequence[Number], rows: Rows) -> Charts:
    """Charts of one grouping; of an intersection only the leading measure."""
    by = columns_name(grouping.columns)
    of_group = [number for number in numbers if number.group and number.reference is None]
    leading = leading_measure(of_group, rows)
    charts = {}
    if leading:
        everybody = _named(overall, leading)
        reference = ("all rows", float(everybody[0].value)) if everybody and everybody[0].value is not None else None
        charts[leading] = interval_bars(
            [{"label": _label(number), **_bar(number)} for number in _named(of_group, leading)],
            title=f"{_words(leading)} by {by}",
            x_title=_words(leading),
            reference=reference,
        )
    if len(grouping.columns) > 1:
        return charts
    for name, (title, *measures) in _PAIRS[rows.task].items():
        found = [_named(of_group, measure) for measure in measures]
        if all(found) and (name != "calibration" or rows.probability):
            charts[name] = _series(
                [(_words(number.definition), number) for of_measure in found for number in of_measure],
                title=f"{title}, by {by}",
                x_title=" and ".join(_words(measure).lower() for measure in measures),
            )
    if rows.task == "multiclass":
        for measure in _BY_CLASS:
            by_class = [number for number in of_group if _is(number, measure) and "class" in number.coordinates]
            if by_class:
                series = [(str(number.coordinates["class"]), number) for number in by_class]
                charts[f"{measure}_by_class"] = _series(
                    series, title=f"{_words(measure)} of each class by {by}", x_title=_words(measure)
                )
    return charts


def of_gaps(compared: Sequence[Sequence[Number]], rows: Rows) -> Charts:
    """The largest gap of the leading measure in every grouping, over all rows and within strata."""
    leading = leading_measure([number for numbers in compared for number in numbers if number.group], rows)
    if not leading:
        return {}
    gaps = [
        number
        for numbers in compared
        for number in numbers
        if number.definition.partition("@")[0] in (f"{leading}_difference", f"{leading}_conditional_difference")
        and "class" not in number.coordinates
    ]
    series = [(_within(number), number) for number in gaps]
    return {
        "gaps": _series(
            series,
            title=f"Largest gap in {_words(leading).lower()} between groups",
            x_title="largest less smallest",
            note="Interval from 0 on: all groups may be equal",
        )
    }


def leading_measure(numbers: Sequence[Number], rows: Rows) -> str | None:
    """The measure that charts begin with: the first of the task's that was measured."""
    return next((name for name in _LEADING[rows.task] if _named(numbers, name)), None)


def _series(series: Sequence[tuple[str, Number]], *, title: str, x_title: str, note: str = "") -> dict[str, Any]:
    bars = [{"label": _label(number), "group": name, **_bar(number)} for name, number in series]
    return grouped_interval_bars(bars, title=title, x_title=x_title, note=note)


def _bar(number: Number) -> dict[str, Any]:
    names = ("value", "low", "high", "n", "small", "reason")
    return {name: getattr(number, name) for name in names}


def _label(number: Number) -> str:
    if number.group:
        return " · ".join(number.group.values())
    return columns_name(number.coordinates["sensitive"].split(","))


def _within(number: Number) -> str:
    stratifier = number.coordinates.get("stratifier")
    return f"within {stratifier}" if stratifier else "all rows"


def _named(numbers: Sequence[Number], metric: str) -> list[Number]:
    return [number for number in numbers if _is(number, metric) and not number.coordinates]


def _is(number: Number, metric: str) -> bool:
    return number.definition.partition("@")[0] == metric


def _words(metric: str) -> str:
    name = definition(metric).name
    return name[0].upper() + name[1:]
