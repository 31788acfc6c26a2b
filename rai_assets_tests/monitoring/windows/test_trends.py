"""Charts of a window: which values stand in them, in which order, and which are marked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rai_assets.metrics.number import Number
from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.performance.fairness import BASELINE
from rai_assets.monitoring.windows.alarm import Alarm
from rai_assets.monitoring.windows.trends import (
    arrivals_chart,
    drift_charts,
    gap_charts,
    performance_charts,
    reasons_charts,
)
from rai_assets.monitoring.windows.window import Refused, Seen, Window
from rai_assets.provenance import Provenance
from rai_assets.store.results import Result

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
GAP = "selection_rate_difference@1"


def seen(day: int, rows: int = 100, **assets: Result) -> Seen:
    key = f"2026-01-{day:02d}"
    return Seen(BatchRecord(key, 1, 1, rows, (), (), f"{key}T00:00:00+00:00", None, None), assets)


def result(asset: str, *numbers: Number, failed: str = "", rows: list[dict[str, Any]] | None = None) -> Result:
    checks = {"check": {"passed": not failed, "sentence": failed}}
    facts = {"rows": rows or [], "checks": checks}
    return Result(asset, Provenance("loans", "production", "c"), numbers=numbers, facts=facts)


def change(column: str, effect: float | None, drifted: bool = False, **more: Any) -> dict[str, Any]:
    return {"column": column, "effect": effect, "drifted": drifted, "rank": 1, **more}


def window(*batches: Seen, **more: Any) -> Window:
    return Window(START, END, batches, **more)


def points(chart: dict[str, Any], *names: str) -> list[Any]:
    values = [tuple(row[name] for name in names) for row in chart["data"]["values"]]
    return [value[0] for value in values] if len(names) == 1 else values


def test_batches_accepted_and_refused_are_in_the_order_of_time() -> None:
    refused = Refused("torn", datetime(2026, 1, 2, 12, tzinfo=UTC), "torn")
    chart = arrivals_chart(window(seen(2, 20), seen(3, 30), quarantined=(refused,)))
    assert points(chart, "label", "value") == [("2026-01-02", 20), ("torn", None), ("2026-01-03", 30)]
    assert points(chart, "reason") == ["", "in quarantine", ""]


def test_columns_that_raised_alarms_come_first_and_the_others_by_their_largest_effect() -> None:
    first = [change("age", 0.1), change("income", 0.3), change("sex", 0.2)]
    second = [change("age", 0.4), change("sex", 0.1, True), change("sex", 0.5, rank=None), change("", 0.9)]
    batches = seen(1, drift=result("drift", rows=first)), seen(2, drift=result("drift", rows=second))
    told = [Alarm("column", "sex", "", (), "", (), "", 0.01), Alarm("column", "age", "", (), "", (), "", 0.5)]
    charts = drift_charts(window(*batches), told)
    assert list(charts) == ["columns_and_batches", "column_0"], "what chance explains has no chart of its own"
    assert points(charts["columns_and_batches"], "y", "value") == [
        ("sex", 0.2), ("sex", 0.5), ("age", 0.1), ("age", 0.4), ("income", 0.3), ("income", None),
    ]  # fmt: skip
    assert points(charts["column_0"], "label", "value", "alarm") == [
        ("2026-01-01", 0.2, False), ("2026-01-02", 0.5, True),
    ]  # fmt: skip
    assert drift_charts(window(seen(1)), told) == {}


def test_a_batch_without_a_column_says_why() -> None:
    told = [Alarm("column", "age", "", (), "", (), "")]
    batches = [
        seen(1, drift=result("drift", rows=[change("age", 0.1)])),
        seen(2, drift=result("drift", rows=[change("age", None, reason="no current row has a value")])),
        seen(3, drift=result("drift", rows=[change("sex", 0.2)])),
    ]
    chart = drift_charts(window(*batches), told)["column_0"]
    assert points(chart, "value") == [0.1, None, None]
    assert points(chart, "reason") == ["", "no current row has a value", "not in the batch"]


def test_the_grid_is_for_at_most_eighteen_batches_and_twelve_columns() -> None:
    rows = [change(f"c{number:02d}", 0.5 - number / 100) for number in range(14)]
    every = [seen(day, drift=result("drift", rows=rows)) for day in range(1, 20)]
    assert "columns_and_batches" not in drift_charts(window(*every), [])
    grid = drift_charts(window(*every[:18]), [])["columns_and_batches"]
    assert list(dict.fromkeys(points(grid, "y"))) == [f"c{number:02d}" for number in range(12)]
    assert len(set(points(grid, "x"))) == 18


def test_gaps_that_grew_come_before_the_leading_one_of_every_other_column() -> None:
    def batch(day: int, grew: bool, baseline: float) -> Seen:
        rows = [
            {"definition": "accuracy_difference@1", "sensitive": "age", "verdict": "held"},
            {"definition": GAP, "sensitive": "age", "verdict": "held"},
            {"definition": "accuracy_difference@1", "sensitive": "sex", "verdict": "held"},
            {"definition": GAP, "sensitive": "sex", "verdict": "grew" if grew else "held"},
        ]
        numbers = [
            Number(name, 0.1 * day, coordinates={"sensitive": sensitive})
            for name in (GAP, "accuracy_difference@1")
            for sensitive in ("age", "sex")
        ]
        numbers.append(Number(GAP, baseline, coordinates={"sensitive": "sex", "chunk": BASELINE}))
        return seen(day, fairness_drift=result("fairness_drift", *numbers, rows=rows))

    charts = gap_charts(window(batch(1, False, 0.02), batch(2, True, 0.03)))
    titles = [chart["title"]["text"] for chart in charts.values()]
    assert titles[0] == "Selection rate difference · sex"
    assert set(titles[1:]) == {"Accuracy difference · age", "Accuracy difference · sex"}, titles
    assert points(charts["gap_0"], "value", "alarm") == [(0.1, False), (0.2, True)]
    (line,) = [part for part in charts["gap_0"]["layer"] if "data" in part]
    assert line["data"]["values"] == [{"value": 0.03}], "the baseline of the newest batch"
    assert not [part for part in charts["gap_1"]["layer"] if "data" in part]


def test_what_was_estimated_and_what_was_measured_are_two_series() -> None:
    def batch(day: int, measured: float | None) -> Seen:
        numbers = [Number("accuracy@1", measured, reason=None if measured else "no label has arrived yet")]
        # Of the whole batch, not of one group or of the baseline.
        numbers += [
            Number("accuracy@1", 0.1, group={"sex": "F"}),
            Number("accuracy@1", 0.2, coordinates={"chunk": BASELINE}),
        ]
        estimate = Number("estimated_accuracy@1", 0.9, 0.85, 0.95, n=50, reason="it assumes much")
        return seen(
            day,
            estimated_performance=result("estimated_performance", estimate),
            realized_performance=result("realized_performance", *numbers[::-1], failed="" if day == 1 else "worse"),
        )

    charts = performance_charts(window(batch(1, 0.8), batch(2, 0.7), batch(3, None), seen(4)))
    assert list(charts) == ["accuracy"]
    found = points(charts["accuracy"], "label", "value", "low", "n", "alarm", "reason")
    assert [row for row in found if row[1] == 0.9] == [
        (f"2026-01-0{day}", 0.9, 0.85, 50, False, "") for day in (1, 2, 3)
    ]  # fmt: skip
    assert [row for row in found if row[1] != 0.9] == [
        ("2026-01-01", 0.8, None, None, False, ""),
        ("2026-01-02", 0.7, None, None, True, ""),
        ("2026-01-03", None, None, None, True, "no label has arrived yet"),
    ]
    assert charts["accuracy"]["encoding"]["y"]["axis"]["title"] == "estimated and measured"
    assert performance_charts(window(batch(3, None)))["accuracy"]["encoding"]["y"]["axis"]["title"] == "estimated"


def test_the_five_heaviest_columns_are_shown_with_what_the_model_goes_by() -> None:
    def batch(day: int) -> Seen:
        numbers = [Number("attribution_ndcg@1", 0.9)]
        numbers += [
            Number("mean_absolute_shap_value@1", (7 - at) / 10 * day, coordinates={"feature": f"f{at}"})
            for at in range(7)
        ]
        other = {"feature": "f6", "class": "late"}
        numbers.append(Number("mean_absolute_shap_value@1", 99.0, coordinates=other))
        return seen(day, attribution_drift=result("attribution_drift", *numbers, failed="others" if day == 2 else ""))

    charts = reasons_charts(window(batch(1), batch(2)))
    assert points(charts["agreement"], "value", "alarm") == [(0.9, False), (0.9, True)]
    weights = points(charts["importances"], "group", "label", "value")
    assert list(dict.fromkeys(group for group, _, _ in weights)) == ["f0", "f1", "f2", "f3", "f4"]
    assert ("f0", "2026-01-02", 1.4) in weights
    assert len(weights) == 10
    assert not any(points(charts["importances"], "alarm"))
    assert reasons_charts(window(seen(1))) == {}


def test_how_well_a_model_tells_each_batch_has_a_line_at_one_half() -> None:
    def batch(day: int, value: float | None, failed: str = "") -> Seen:
        checks = {"columns_together_unchanged": {"passed": not failed, "sentence": failed}}
        numbers = [] if value is None else [Number("domain_classifier_auc@1", value)]
        facts = {"rows": [change("age", 0.1)], "checks": checks}
        return seen(day, drift=Result("drift", Provenance("loans", "production", "c"), numbers=numbers, facts=facts))

    charts = drift_charts(window(batch(1, 0.5), batch(2, 0.9, "apart"), batch(3, None)), [])
    assert points(charts["together"], "value", "alarm", "reason") == [
        (0.5, False, ""), (0.9, True, ""), (None, False, "not asked"),
    ]  # fmt: skip
    (line,) = [part for part in charts["together"]["layer"] if "data" in part]
    assert line["data"]["values"] == [{"value": 0.5}]
    assert "together" not in drift_charts(window(batch(1, None)), [])
