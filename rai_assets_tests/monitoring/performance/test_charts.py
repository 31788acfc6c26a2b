"""Charts over batches can be drawn and show every batch."""

from __future__ import annotations

import pytest

from rai_assets.charts import to_svg
from rai_assets.metrics.number import Number
from rai_assets.monitoring.performance.charts import estimated_and_measured, over_batches


def numbers(definition: str, values: list[float | None]) -> list[Number]:
    return [
        Number(definition, value, reason="cannot tell: 12 calibration rows", coordinates={"chunk": f"2026-0{month}"})
        if value is None
        else Number(definition, value, value - 0.02, value + 0.02, 0.95, 500, coordinates={"chunk": f"2026-0{month}"})
        for month, value in enumerate(values, 1)
    ]


def test_every_batch_has_a_line_and_the_reference_one_through_all() -> None:
    spec = over_batches(numbers("accuracy@1", [0.8, 0.82, None]), Number("accuracy@1", 0.85))
    assert [row["label"] for row in spec["data"]["values"]] == ["2026-01", "2026-02", "2026-03"]
    assert "Dashed line: reference, 0.850" in str(spec)
    assert to_svg(spec).startswith("<svg")


@pytest.mark.parametrize("arrived", [1, 3])
def test_estimates_stand_beside_what_labels_showed(arrived: int) -> None:
    measured = numbers("accuracy@1", [0.79, 0.7, 0.8])[:arrived]
    spec = estimated_and_measured(numbers("estimated_accuracy@1", [0.8, 0.82, None]), measured)
    shown = [(row["label"], row["group"]) for row in spec["data"]["values"]]
    assert len([1 for _, series in shown if series == "measured"]) == arrived
    assert to_svg(spec).startswith("<svg")
