"""Charts of a window: every measure from batch to batch, with the intervals that were stored with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from rai_assets.charts import heat_map, trend
from rai_assets.metrics.definitions import definition
from rai_assets.metrics.number import Number
from rai_assets.monitoring.checks import COLUMNS_TOGETHER
from rai_assets.monitoring.performance.fairness import BASELINE
from rai_assets.monitoring.windows.alarm import LEVEL, Alarm
from rai_assets.monitoring.windows.kept import LEADING, MEASURED, NDCG, TOGETHER, WEIGHT
from rai_assets.monitoring.windows.window import Seen, Window

Chart = dict[str, Any]

_COLUMNS, _MOST_CELLS = 12, 18  # columns and batches of the overview that is a grid
_TRENDS = 6  # charts of one kind


def arrivals_chart(window: Window) -> Chart:
    """Rows of every batch."""
    rows = [(item.record.time, {"label": item.key, "value": item.record.rows}) for item in window.batches]
    rows += [
        (item.time.isoformat(), {"label": item.key, "value": None, "reason": "in quarantine"})
        for item in window.quarantined
    ]
    ordered = [row for _, row in sorted(rows, key=lambda item: item[0])]
    return trend(ordered, title="Rows of every batch", y_title="rows", note="No point: the batch is in quarantine")


def drift_charts(window: Window, alarms: Sequence[Alarm], rate: float = LEVEL) -> dict[str, Chart]:
    """How far each column is from the reference, and how well the batches are told from it."""
    asked = [item for item in window.batches if item.rows_of("drift")]
    if not asked:
        return {}
    told = [item.subject for item in alarms if item.kind == "column" and item.stands]
    columns = list(dict.fromkeys([*told, *_by_size(asked)]))
    charts = {}
    if len(asked) <= _MOST_CELLS:
        charts["columns_and_batches"] = heat_map(
            [
                {"x": item.key, "y": column, "value": _effect(item, column)[0]}
                for column in columns[:_COLUMNS] for item in asked
            ],
            title="How far every column is from the reference",
            x_title="batch", y_title="column", value_title="Effect", limit=_MOST_CELLS,
            note="0: as in the reference. The first columns raised alarms, the heaviest in the model first",
        )  # fmt: skip
    for number, column in enumerate(told[:_TRENDS]):
        rows = []
        for item in asked:
            effect, drifted, why = _effect(item, column)
            rows.append({"label": item.key, "value": effect, "alarm": drifted, "reason": why})
        charts[f"column_{number}"] = trend(
            rows, title=f"Change of {column}", y_title="effect against the reference", rate=rate
        )
    if _told(asked, "drift", TOGETHER):
        charts["together"] = _of_numbers(
            asked, "drift", TOGETHER, title="How well a model tells the batch from the reference",
            alarm=lambda item: COLUMNS_TOGETHER in item.failed("drift"), reference=("cannot tell", 0.5), rate=rate,
        )  # fmt: skip
    return charts


def gap_charts(window: Window, rate: float = LEVEL) -> dict[str, Chart]:
    """The gaps between groups: those that grew first, then the leading one of every sensitive column."""
    asked = [item for item in window.batches if item.rows_of("fairness_drift")]
    grew: dict[tuple[str, str], set[str]] = {}
    every: list[tuple[str, str]] = []
    for item in asked:
        for row in item.rows_of("fairness_drift"):
            place = (row["definition"], row["sensitive"])
            every.append(place)
            if row["verdict"] == "grew":
                grew.setdefault(place, set()).add(item.key)
    leading = {sensitive: (name, sensitive) for name, sensitive in reversed(every)}
    charts = {}
    for number, (name, sensitive) in enumerate(list(dict.fromkeys([*grew, *leading.values()]))[:_TRENDS]):
        keys = grew.get((name, sensitive), set())
        charts[f"gap_{number}"] = _of_numbers(
            asked, "fairness_drift", name, title=f"{_words(name)} · {sensitive}", sensitive=sensitive,
            alarm=partial(_among, keys), reference=_baseline(asked, name, sensitive), rate=rate,
        )  # fmt: skip
    return charts


def performance_charts(window: Window, rate: float = LEVEL) -> dict[str, Chart]:
    """Performance as estimated without labels, and as measured where labels have arrived."""
    charts = {}
    for estimate, measured in zip(LEADING, MEASURED, strict=True):
        rows: list[dict[str, Any]] = []
        for group, asset, name in (
            ("estimated", "estimated_performance", estimate), ("measured", "realized_performance", measured)
        ):  # fmt: skip
            asked = [item for item in window.batches if asset in item.results]
            if _told(asked, asset, name):
                rows += [
                    {**_point(item, item.number(asset, name), bool(item.failed(asset))), "group": group}
                    for item in asked
                ]
        if rows:
            title = f"{_words(measured)} of every batch"
            kinds = dict.fromkeys(row["group"] for row in rows)
            charts[measured.partition("@")[0]] = trend(
                rows, title=title, y_title=" and ".join(kinds), reference=_audited(window.batches, measured), rate=rate
            )
    return charts


def reasons_charts(window: Window, rate: float = LEVEL) -> dict[str, Chart]:
    """Whether the model goes by the same columns, and how much each weighs."""
    asked = [item for item in window.batches if "attribution_drift" in item.results]
    if not _told(asked, "attribution_drift", NDCG):
        return {}
    alarmed: Callable[[Seen], bool] = lambda item: bool(item.failed("attribution_drift"))  # noqa: E731
    title = "Agreement of the columns' importances with the audit"
    charts = {
        "agreement": _of_numbers(asked, "attribution_drift", NDCG, title=title, alarm=alarmed, rate=rate),
    }
    weights: dict[str, list[tuple[Seen, Number]]] = {}
    for item in asked:
        for number in item.results["attribution_drift"].numbers:
            if number.definition == WEIGHT and number.coordinates.keys() == {"feature"}:
                weights.setdefault(number.coordinates["feature"], []).append((item, number))
    first = sorted(weights, key=lambda name: -max(number.value or 0.0 for _, number in weights[name]))[:5]
    if first:
        rows = [{**_point(item, number, False), "group": name} for name in first for item, number in weights[name]]
        charts["importances"] = trend(rows, title="What the model goes by", y_title="mean |effect on the score|")
    return charts


def _of_numbers(
    batches: Sequence[Seen],
    asset: str,
    name: str,
    *,
    title: str,
    alarm: Callable[[Seen], bool],
    reference: tuple[str, float] | None = None,
    rate: float,
    **coordinates: str,
) -> Chart:
    rows = [_point(item, item.number(asset, name, **coordinates), alarm(item)) for item in batches]
    return trend(rows, title=title, y_title=_words(name), reference=reference, rate=rate)


def _among(keys: Collection[str], batch: Seen) -> bool:
    return batch.key in keys


def _told(batches: Sequence[Seen], asset: str, name: str) -> bool:
    """Whether the number has a value in any batch."""
    return any(number.value is not None for item in batches if (number := item.number(asset, name)) is not None)


def _point(batch: Seen, number: Number | None, alarm: bool) -> dict[str, Any]:
    if number is None:
        return {"label": batch.key, "value": None, "reason": "not asked"}
    # The reason of a value that is shown is its assumption, which is said once.
    reason = number.reason if number.value is None else None
    bounds = {name: getattr(number, name) for name in ("value", "low", "high", "n")}
    return {"label": batch.key, "alarm": alarm, "reason": reason, **bounds}


def _by_size(batches: Collection[Seen]) -> list[str]:
    """Columns by their largest effect in any batch."""
    sizes: dict[str, float] = {}
    for item in batches:
        for row in item.rows_of("drift"):
            if row.get("column") and row.get("effect") is not None and row.get("rank"):
                sizes[row["column"]] = max(row["effect"], sizes.get(row["column"], 0.0))
    return sorted(sizes, key=lambda name: -sizes[name])


def _effect(batch: Seen, column: str) -> tuple[float | None, bool, str]:
    """The largest effect of a column in a batch, whether an alarm was raised, and why there is no value."""
    rows = [row for row in batch.rows_of("drift") if row.get("column") == column]
    effects = [float(row["effect"]) for row in rows if row.get("effect") is not None]
    why = next((str(row["reason"]) for row in rows if row.get("reason")), "not in the batch")
    return max(effects, default=None), any(row.get("drifted") for row in rows), "" if effects else why


def _baseline(batches: Sequence[Seen], name: str, sensitive: str) -> tuple[str, float] | None:
    """The gap in the audit, as the newest batch has it."""
    for item in reversed(batches):
        for number in item.results["fairness_drift"].numbers:
            here = number.definition == name and number.coordinates.get("sensitive") == sensitive
            if here and number.coordinates.get("chunk") == BASELINE and number.value is not None:
                return "in the audit", number.value
    return None


def _audited(batches: Sequence[Seen], name: str) -> tuple[str, float] | None:
    """The metric in the audit, as the newest batch with labels has it."""
    for item in reversed(batches):
        found = item.results.get("realized_performance")
        for number in () if found is None else found.numbers:
            if number.definition == name and number.coordinates == {"chunk": BASELINE} and number.value is not None:
                return "in the audit", number.value
    return None


def charted(window: Window) -> list[str]:
    """Definitions of the numbers in the charts, as far as they have values."""
    named = {
        "estimated_performance": LEADING,
        "realized_performance": MEASURED,
        "attribution_drift": (NDCG, WEIGHT),
        "drift": (TOGETHER,),
    }
    found = [
        name
        for asset, names in named.items()
        for name in names
        if any(
            number.definition == name and number.value is not None
            for item in window.batches
            if asset in item.results
            for number in item.results[asset].numbers
        )
    ]
    return [
        *found,
        *dict.fromkeys(row["definition"] for item in window.batches for row in item.rows_of("fairness_drift")),
    ]


def _words(identifier: str) -> str:
    name = definition(identifier).name
    return name[:1].upper() + name[1:]
