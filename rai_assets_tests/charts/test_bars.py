"""Bars in Markdown stay short enough to be shown inline, whatever is in the rows."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rai_assets.charts import text_bars

ROWS = st.lists(
    st.fixed_dictionaries(
        {"label": st.text(max_size=300)},
        optional={
            "value": st.none() | st.floats(-1e9, 1e9),
            "low": st.floats(-1, 1),
            "high": st.floats(-1, 1),
            "n": st.integers(0, 10**9),
            "small": st.booleans(),
            "reason": st.text(max_size=200),
        },
    ),
    max_size=60,
)


def test_a_small_table() -> None:
    rows = [
        {"label": "Female", "value": 0.1, "low": 0.08, "high": 0.12, "n": 5_373},
        {"label": "Male", "value": 0.2, "n": 10_908},
        {"label": "Other", "value": 0.15, "n": 12, "small": True},
        {"label": "None", "value": None, "n": 2, "reason": "fewer than 5 rows"},
    ]
    assert text_bars(rows, name="sex", measure="selection rate", note="all rows 0.196") == (
        "| sex | selection rate |  | n |\n"
        "|:--|--:|:--|--:|\n"
        "| Female | 0.100 (0.0800 to 0.120) | ████ | 5,373 |\n"
        "| Male | 0.200 | ████████ | 10,908 |\n"
        "| Other | 0.150 | ██████ small | 12 |\n"
        "| None | – | fewer than 5 rows | 2 |\n"
        "\nall rows 0.196"
    )


@given(ROWS, st.text(max_size=300))
def test_it_is_always_under_a_thousand_characters_and_a_table(rows: list[dict], note: str) -> None:
    text = text_bars(rows, note=note)
    assert len(text) < 1_000
    table = text.split("\n\n")[0].strip("\n").split("\n")
    assert len({line.count("|") for line in table}) == 1
    left = re.search(r"\n([\d,]+) more not shown here", text)
    assert len(table) - 2 + (int(left[1].replace(",", "")) if left else 0) == len(rows)


def test_no_markup_comes_out_of_a_name() -> None:
    hostile = "![](http://example.invalid/x.png)<img src=x>`|\n| a | b | \u202e [l](javascript:x)"
    text = text_bars([{"label": hostile, "value": 1.0}])
    assert "](" not in text
    assert "://" not in text
    assert "`" not in text
    assert "\u202e" not in text
    assert not re.search(r"(?<!\\)<", text)
    assert len(text.strip().split("\n")) == 3


def test_a_declared_maximum_is_a_full_bar() -> None:
    assert "| ████ |" in text_bars([{"label": "a", "value": 0.5}], maximum=1.0)
