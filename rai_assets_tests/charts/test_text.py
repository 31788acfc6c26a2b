"""How numbers and foreign strings are written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rai_assets.charts.text import chance, count, cut, decimal, how_many, interval, markdown, visible


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.1, "0.100"), (0.12345, "0.123"), (0.012345, "0.0123"), (0.9996, "1.00"), (1.0, "1.00"),
        (9.996, "10.0"), (12.345, "12.3"), (123.4, "123"), (999.6, "1,000"), (12345.6, "12,346"), (-0.25, "−0.250"),
        (0.00012, "0.000120"), (3.2e-7, "3.20e−07"),
    ],
)  # fmt: skip
def test_a_measure_has_three_significant_digits(value: float, text: str) -> None:
    assert decimal(value) == text


@given(st.floats(min_value=-1e6, max_value=1e6, allow_nan=False))
def test_the_text_of_a_measure_is_its_value_to_half_a_percent(value: float) -> None:
    read = float(decimal(value).replace(",", "").replace("−", "-"))
    assert read == pytest.approx(value, rel=0.0051)


def test_counts_have_thousands_separators() -> None:
    assert count(48842) == "48,842"


def test_what_is_counted_is_named_in_its_number() -> None:
    assert [how_many(number, "batch") for number in (0, 1, 1200)] == ["0 batches", "1 batch", "1,200 batches"]
    assert how_many(2, "more line") == "2 more lines"
    assert [how_many(number, "file is", "files are") for number in (1, 2)] == ["1 file is", "2 files are"]


def test_an_interval_says_what_it_has() -> None:
    assert interval(0.1123, 0.1812) == "0.112 to 0.181"
    assert interval(None, None) == ""
    assert interval(0.8, None) == "at least 0.800"
    assert interval(None, 12.0, counted=True) == "at most 12"


def test_a_p_value_is_never_written_as_nothing() -> None:
    assert [chance(p) for p in (0.0, 1e-300, 9.99e-5)] == ["< 0.0001"] * 3
    assert [chance(p) for p in (1e-4, 0.01234, 1.0)] == ["0.000100", "0.0123", "1.00"]
    assert (chance(0.0, named=True), chance(0.05, named=True)) == ("p < 0.0001", "p = 0.0500")


def test_what_cannot_be_seen_is_written_out() -> None:
    assert visible("a\u202eb\u200dc\nd\x00") == "a[U+202E]b[U+200D]c[U+000A]d[U+0000]"
    assert visible("نساء 女 Größe") == "نساء 女 Größe"


@given(st.text(st.characters(), max_size=200))
def test_visible_text_holds_no_control_or_direction_character(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert visible(shown) == shown
    shown.encode("utf-8")


def test_a_cut_says_how_long_the_text_is() -> None:
    assert cut("x" * 10_000, 20) == "x" * 20 + "… (10,000 characters)"
    assert cut("short", 20) == "short"


@pytest.mark.parametrize(
    ("hostile", "literal"),
    [
        ("![](http://example.invalid/x.png)", ""),
        ("[click](javascript:alert(1))", "click\\)"),
        ("a|b", "a¦b"),
        ("a`b`c", "a'b'c"),
        ("a\nb\r\n\tc", "a b c"),
        ("<img src=x onerror=alert(1)>", "\\<img src=x onerror=alert\\(1\\)\\>"),
        ("www.example.invalid http://x", "www .example.invalid http: //x"),
        ("**bold** _it_ # ~x~", "\\*\\*bold\\*\\* \\_it\\_ \\# \\~x\\~"),
        ("\u202eabc", "\\[U+202E\\]abc"),
    ],
)
def test_markdown_of_a_foreign_string_is_literal(hostile: str, literal: str) -> None:
    assert markdown(hostile) == literal
