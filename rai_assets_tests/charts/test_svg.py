"""Drawing asks for nothing and says what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from rai_assets.charts import to_svg
from rai_assets.errors import InputRefused


@pytest.mark.parametrize(
    "spec",
    [
        {"data": {"url": "http://127.0.0.1:9/x.csv"}, "mark": "point"},
        {"data": {"url": "file:///etc/hostname"}, "mark": "point"},
        {"layer": [{"data": {"url": "data.csv"}, "mark": "point"}]},
        {"data": {"values": [{"x": 1}]}, "mark": "image", "encoding": {"url": {"value": "http://127.0.0.1/a.png"}}},
        {"data": {"values": [{"x": 1}]}, "mark": {"type": "point", "href": "javascript:alert(1)"}},
    ],
)
def test_a_chart_with_an_address_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(InputRefused, match=r"the chart holds '(url|href)'"):
        to_svg(spec)


def test_a_column_called_url_is_data() -> None:
    spec = {
        "data": {"values": [{"url": "http://example.invalid", "value": 1}]},
        "mark": "bar",
        "encoding": {"x": {"field": "value", "type": "quantitative"}},
    }
    assert "<svg" in to_svg(spec)


def test_what_cannot_be_drawn_names_the_chart() -> None:
    with pytest.raises(InputRefused, match="cannot be drawn") as caught:
        to_svg({"title": "Rates", "mark": {"type": "no such mark"}, "data": {"values": []}})
    assert caught.value.where == "Rates"


def test_the_same_chart_is_the_same_bytes() -> None:
    spec = {"data": {"values": [{"x": 1}]}, "mark": "bar", "encoding": {"x": {"field": "x", "type": "quantitative"}}}
    assert to_svg(spec) == to_svg(spec)
