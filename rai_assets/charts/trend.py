"""A value from batch to batch, with its intervals and alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from rai_assets.charts import theme
from rai_assets.charts.reference import Reference, reference_line, reference_note
from rai_assets.charts.rows import Names, Row, number
from rai_assets.charts.text import count, cut, decimal, interval

_POINTS = 200  # batches that are shown each; more of them are shown in stretches
_STRETCHES = 100
_LEVEL = 0.05  # share of charts without a change that have a stretch with more alarms than chance brings


def trend(
    rows: Iterable[Row],
    *,
    title: str,
    y_title: str,
    reference: Reference | None = None,
    note: str = "",
    rate: float = 0.05,
) -> dict[str, Any]:
    """One value per batch in the order of time, joined by a line; where a batch has none, the line breaks off.

    More than 200 batches are shown as 100 stretches of batches in a row: the median of each, and the range from its
    least to its greatest value. A stretch is marked where more of its batches have an alarm than chance brings.

    Args:
        rows: Dicts with `label` (the batch) and `value` (None where there is none); optional `low`, `high`, `n`,
            `alarm` (True: marked as one), `reason` (why there is no value) and `group` (the series; at most five are
            shown).
        title: Title of the chart.
        y_title: What the value is.
        reference: (name, value) of a horizontal line.
        note: Sentence under the title.
        rate: Share of batches without a change that have an alarm.
    """
    every = list(rows)
    series = list(dict.fromkeys(str(row.get("group", "")) for row in every))
    kept = series[: len(theme.SERIES)]
    batches = list(dict.fromkeys(str(row["label"]) for row in every))
    together = 1 if len(batches) <= _POINTS else -(-len(batches) // _STRETCHES)
    places = {batch: order // together for order, batch in enumerate(batches)}
    inside: dict[tuple[int, str], list[Row]] = {}
    for row in every:
        inside.setdefault((places[str(row["label"])], str(row.get("group", ""))), []).append(row)
    names, groups = Names(), Names()
    values: list[dict[str, Any]] = []
    # The axis has the order of the data.
    for order, name in sorted((place for place in inside if place[1] in kept), key=lambda place: place[0]):
        found = inside[order, name]
        made = [_row(row, names) for row in found] if together == 1 else [_stretch(found, names, rate)]
        values += [{**row, "group": groups(name), "order": order} for row in made]
    several = len(kept) > 1
    notes = [
        note,
        theme.left_out(len(kept), len(series), "series"),
        _nothing(every),
        f"A point: the median of {together} batches in a row; its bar: from the least to the greatest of them"
        if together > 1
        else "",
        _MARKED[together > 1] if any(row["alarm"] for row in values) else "",
        reference_note(reference),
    ]
    spec = theme.frame(title, values, _table(y_title, several=several, stretches=together > 1), notes=notes)
    spec["width"], spec["height"] = 410, 180
    spec["encoding"] = {
        "x": {
            "field": "label", "type": "nominal", "sort": None,
            "axis": {"title": None, "grid": False, "labelAngle": -35, "labelLimit": 110, "ticks": False,
                     "labelOverlap": True},
        },
        "y": {"field": "value", "type": "quantitative", "scale": {"zero": False, "nice": True},
              "axis": theme.quantity_axis(y_title, tickCount=5)},
    }  # fmt: skip
    group = {"field": "group", "type": "nominal", "sort": None}
    spec["layer"] = [*reference_line(reference, "y"), *_marks({"color": group} if several else {})]
    return spec


def _marks(colour: dict[str, Any]) -> list[dict[str, Any]]:
    plain = colour or {"color": {"value": theme.BLUE}}
    says = {"description": {"field": "says", "type": "nominal"}}
    there = {"filter": {"field": "value", "valid": True}}
    bounded = [{"filter": {"field": name, "valid": True}} for name in ("low", "high")]
    return [
        {
            "mark": {"type": "line", "strokeWidth": 1.8, "invalid": "break-paths-filter-domains",
                     "description": "one series"},
            "encoding": {**plain, "order": {"field": "order", "type": "quantitative"}},
        },
        {
            "transform": bounded,
            "mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.45, "description": "interval of one batch"},
            "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}, **plain, **says},
        },
        {
            "transform": [there, {"filter": {"field": "alarm", "equal": False}}],
            "mark": {"type": "point", "filled": True, "size": 42, "opacity": 1, "description": "one batch"},
            "encoding": {**plain, **says},
        },
        {
            "transform": [there, {"filter": {"field": "alarm", "equal": True}}],
            "mark": {"type": "point", "filled": True, "shape": "square", "size": 95, "opacity": 1,
                     "color": theme.ALARM, "description": "one batch with an alarm"},
            "encoding": says,
        },
    ]  # fmt: skip


def _row(row: Row, names: Names) -> dict[str, Any]:
    value, low, high = number(row.get("value")), number(row.get("low")), number(row.get("high"))
    text = decimal(value) if value is not None else cut(row.get("reason") or "no value", 60)
    rows = f"n {count(row['n'])}" if row.get("n") is not None else ""
    alarm = bool(row.get("alarm"))
    spoken = [text, interval(low, high), rows, "alarm" if alarm else ""]
    return {
        "label": names(row["label"]), "value": value, "low": low, "high": high, "n": row.get("n"), "alarm": alarm,
        "says": f"{names(row['label'])}: " + ", ".join(part for part in spoken if part),
        "reason": text if value is None else "",
    }  # fmt: skip


def _stretch(rows: Sequence[Row], names: Names, rate: float) -> dict[str, Any]:
    """Several batches in a row as one."""
    found = [value for row in rows if (value := number(row.get("value"))) is not None]
    first, last, alarms = rows[0]["label"], rows[-1]["label"], sum(bool(row.get("alarm")) for row in rows)
    without = Counter(cut(row.get("reason") or "no value", 60) for row in rows if number(row.get("value")) is None)
    many = _more_than_chance(alarms, len(rows), rate)
    bounds = {"low": min(found), "high": max(found)} if found else {}
    sizes = [row["n"] for row in rows if row.get("n") is not None]
    made = _row(
        {"label": first, "value": median(found) if found else None, **bounds, "n": sum(sizes) if sizes else None,
         "alarm": many, "reason": ", ".join(without)}, names,
    )  # fmt: skip
    said = "; ".join(f"{count(rows)} without a value: {why}" for why, rows in without.most_common(2))
    told = f"{made['says']}, {alarms} of {len(rows)} batches with an alarm" if alarms else made["says"]
    return {**made, "last": names(last), "alarms": alarms, "reason": said, "says": told}


def _nothing(rows: Sequence[Row]) -> str:
    """That no batch has a value, and the commonest reason; empty where one has."""
    if any(number(row.get("value")) is not None for row in rows):
        return ""
    reasons = Counter(cut(row["reason"], 60) for row in rows if row.get("reason"))
    return "No batch has a value" + "".join(f": {reason}" for reason, _ in reasons.most_common(1))


def _more_than_chance(alarms: int, batches: int, rate: float) -> bool:
    """Whether so many alarms are rare among batches without a change, over all stretches of a chart (Bonferroni)."""
    from scipy.stats import binom

    return alarms > 0 and float(binom.sf(alarms - 1, batches, rate)) <= _LEVEL / _STRETCHES


_MARKED = {False: "Square in red: an alarm", True: "Square in red: more of them with an alarm than chance brings"}


def _table(value: str, *, several: bool, stretches: bool) -> list[theme.Column]:
    group = [("group", "Series")] if several else []
    if stretches:
        bounds = [("low", "Least"), ("high", "Greatest"), ("n", "n"), ("alarms", "Alarms"), ("reason", "Remark")]
        return [("label", "First batch"), ("last", "Last batch"), *group, ("value", f"Median: {value}"), *bounds]
    bounds = [("low", "Low"), ("high", "High"), ("n", "n"), ("alarm", "Alarm"), ("reason", "Remark")]
    return [("label", "Batch"), *group, ("value", value), *bounds]
