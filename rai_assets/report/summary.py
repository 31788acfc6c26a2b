"""The first sentence of a section, taken from its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from rai_assets.charts.text import count, cut, decimal, interval
from rai_assets.metrics.number import Number
from rai_assets.report.words import definition_name

_LEVELS = ("accuracy", "roc_auc", "r2", "mean_absolute_error")
_GAPS = ("selection_rate_difference", "demographic_parity_difference", "mean_prediction_difference")
_IMPORTANCE = ("mean_absolute_shap_value", "permutation_importance")


def headline(numbers: Sequence[Number]) -> str:
    """One or two sentences for a reader who stops there; empty where nothing fits."""
    told = [number for number in numbers if number.value is not None]
    return _features(told) or _gap(told) or _level(told)


def _of(numbers: Sequence[Number], names: Sequence[str]) -> list[Number]:
    """The numbers of the first of the definitions that there are numbers of."""
    for name in names:
        found = [number for number in numbers if number.definition.partition("@")[0] == name]
        if found:
            return found
    return []


def _level(numbers: Sequence[Number]) -> str:
    whole = [number for number in numbers if not number.group and not number.coordinates]
    # The split that is measured in most detail is the audited one.
    splits = [number.split for number in whole]
    audited = [number for number in whole if splits.count(number.split) == max(map(splits.count, splits))]
    said = [
        f"{definition_name(number.definition)} is {_value(number)}"
        for name in _LEVELS
        for number in _of(audited, [name])[:1]
    ]
    rows = next((number.n for number in _of(audited, ["count", *_LEVELS]) if number.n), None)
    return f"{'; '.join(said)}, on {count(rows)} {audited[0].split or ''} rows." if said and rows else ""


def _gap(numbers: Sequence[Number]) -> str:
    gaps = [number for number in _of(numbers, _GAPS) if "," not in number.coordinates.get("sensitive", ",")]
    if not gaps:
        return ""
    widest = max(gaps, key=lambda number: number.value or 0.0)
    what = definition_name(widest.definition)
    between = cut(widest.coordinates["sensitive"], 80)
    one = "" if len(gaps) == 1 else f"of {len(gaps)} sensitive columns "
    return f"{what}: widest {one}between groups of {between}, {_value(widest)}."


def _features(numbers: Sequence[Number]) -> str:
    weights = [number for number in _of(numbers, _IMPORTANCE) if "feature" in number.coordinates]
    first = sorted(weights, key=lambda number: -(number.value or 0.0))[:3]
    if not first:
        return ""
    names = [cut(number.coordinates["feature"], 80) for number in first]
    told = f"What moves the result most: {', '.join(names)}."
    links = [
        number
        for number in _of(numbers, ["sensitive_association"])
        if number.coordinates.get("feature") in {item.coordinates["feature"] for item in first}
        and number.coordinates["feature"] != number.coordinates.get("sensitive")
    ]
    if not links:
        return told
    link = max(links, key=lambda number: number.value or 0.0)
    pair = f"{cut(link.coordinates['feature'], 80)} with {cut(link.coordinates.get('sensitive', ''), 80)}"
    return f"{told} Among these, the strongest association with a sensitive column is that of {pair}: {_value(link)}."


def _value(number: Number) -> str:
    bounds = interval(number.low, number.high)
    return decimal(number.value or 0.0) + (f" ({bounds})" if bounds else "")
