"""Foreign strings stay text wherever they stand, and never make the report grow without end."""

from __future__ import annotations

import base64
import itertools
import json
import re
import xml.etree.ElementTree as ET

import pytest

from rai_assets.charts import horizontal_bars, interval_bars
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement, Verdict
from rai_assets.provenance import Provenance
from rai_assets.report.audit import Audit, Column, Data, Judged, Model, Section, Table
from rai_assets.report.html import render
from rai_assets_tests.report.page import Element, parse

PAYLOADS = [
    "</script><img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>",
    "\" onmouseover=\"alert(1)\" x='",
    "{{ 7 * 7 }}{% for x in ().__class__.__mro__ %}",
    "![](http://example.invalid/beacon.png) [x](javascript:alert(1))",
    "&lt;b&gt; &amp; <!-- -->",
    "\u202egnp.exe\u2066\u200b",
    "=HYPERLINK(\"http://example.invalid\")",
    "line\nbreak\ttab\x00nul",
    "\ud800 lone surrogate",
]  # fmt: skip


def hostile_audit(text: str) -> Audit:
    """An audit with the string in every place that a person, a file or a model can fill."""
    number = Number(
        "selection_rate@1", 0.5, 0.4, 0.6, 0.95, 40, group={text: text}, split=text, unit=text, cohort=text,
        address=text,
    )  # fmt: skip
    gap = Number("four_fifths@1", 0.5, 0.4, 0.6, 0.95, 40, coordinates={"sensitive": text, "class": text})
    feature = Number("mean_absolute_shap_value@1", 0.5, n=40, coordinates={"feature": text})
    hidden = Number("selection_rate@1", None, n=2, group={text: "b"}, reason=text)
    requirement = Requirement(id=text, definition="four_fifths", text=text, at_least=0.8, sensitive=(text,))
    rows = [{"label": text, "value": 0.5, "low": 0.4, "high": 0.6, "n": 40, "second": 0.1, "reason": text}]
    charts = {
        text: interval_bars(rows, title=text, x_title=text, note=text, reference=(text, 0.3)),
        "bars": horizontal_bars(rows, title=text, x_title=text, second_title=text),
    }
    return Audit(
        use_case="lending",
        title=text,
        purpose=text,
        owners=(text,),
        provenance=Provenance("lending", text, "ab" * 20, "cd" * 32),
        results_commit="ef" * 20,
        judged=(Judged(requirement, Verdict(text, "fail", gap, text)),),
        data=Data(40, {text: 40, "b": 0}, text, (Column(text, (text, "sensitive"), text, 1, 2, text),), {text: 40}),
        model=Model("cd" * 32, text, text, 0.5, {text: text}, text, {text: text}),
        sections=(
            Section(text, text, text, (number, gap, feature, hidden), charts, (Table(text, (text,), ((text,),)),),
                    (text,)),
        ),
        notes=(text,),
    )  # fmt: skip


def skeleton(element: Element) -> list[tuple[str, tuple[str, ...]]]:
    """Tags and attribute names, in order: what markup a string could have made."""
    return [(item.tag, tuple(item.attributes)) for item in element.all()]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_hostile_string_makes_the_same_page_as_a_harmless_one(payload: str) -> None:
    html = render(hostile_audit(payload))
    assert skeleton(parse(html)) == skeleton(parse(render(hostile_audit("harmless"))))
    html.encode("utf-8")


@pytest.mark.parametrize("payload", PAYLOADS[:6])
def test_a_hostile_string_is_shown_as_it_was_written(payload: str) -> None:
    page = parse(render(hostile_audit(payload)))
    shown = " ".join(payload.split())
    assert page.one("h1").text == shown
    assert page.one("ol").one("h3").text == f"{shown} {shown}"
    assert shown in page.one("section", id="data").text
    assert all(figure.one("figcaption").text.startswith(shown) for figure in page.all("figure"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_charts_hold_no_markup_of_the_string(payload: str) -> None:
    for image in parse(render(hostile_audit(payload))).all("img"):
        svg = base64.b64decode((image.attributes["src"] or "").partition("base64,")[2])
        elements = list(ET.fromstring(svg).iter())
        assert not [e for e in elements if e.tag.rpartition("}")[2] in ("script", "image", "a", "foreignObject")]
        assert not [name for e in elements for name in e.attrib if "href" in name or name.startswith("on")]


def test_characters_that_cannot_be_seen_are_written_out() -> None:
    html = render(hostile_audit("\u202egnp.exe\x00"))
    assert "\u202e" not in html
    assert "\x00" not in html
    assert parse(html).one("h1").text == "[U+202E]gnp.exe[U+0000]"


def test_a_long_name_is_cut_and_its_length_is_said() -> None:
    html = render(hostile_audit("n" * 10_000))
    (table,) = (table for table in parse(html).all("table") if table.one("caption").text == "Columns")
    assert table.one("tbody").one("th").text == "n" * 80 + "… (10,000 characters)"
    assert max(map(len, re.findall(r"n{200,}", html))) == 3_000
    assert len(html) < 300_000


def _groups(columns: int, values: int) -> list[Number]:
    names = [f"column_{index}" for index in range(columns)]
    numbers = []
    for size in range(1, columns + 1):
        for combo in itertools.combinations(names, size):
            for place, chosen in enumerate(itertools.product(range(values), repeat=size)):
                group = {name: f"value {value}" for name, value in zip(combo, chosen, strict=True)}
                numbers += [
                    Number(f"{rate}@1", 0.5, 0.4, 0.6, 0.95, 1_000 - place % 900, group=group, split="test")
                    for rate in ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy",
                                 "precision", "base_rate", "f1", "matthews_correlation", "false_omission_rate")
                ]  # fmt: skip
    return numbers


def _many_charts() -> dict[str, dict]:
    rows = [{"label": f"group {index}", "value": 0.5, "n": index} for index in range(200)]
    return {f"chart {index}": interval_bars(rows, title=f"Chart {index}", x_title="x") for index in range(60)}


def _many_columns() -> tuple[Column, ...]:
    return (*(Column(f"c{index}", ("feature",)) for index in range(500)), Column("s", ("sensitive",)))


@pytest.fixture(scope="module")
def large() -> Element:
    numbers = _groups(3, 12)
    assert len(numbers) > 15_000
    audit = hostile_audit("plain")
    section = Section("fairness_audit", "Groups", "", numbers, _many_charts(), notes=[f"note {i}" for i in range(400)])
    html = render(
        Audit(
            use_case="lending",
            title="Large",
            purpose="",
            provenance=audit.provenance,
            data=Data(10**9, {}, "all", _many_columns()),
            sections=(section,),
        )
    )
    assert len(html.encode()) < 2_000_000
    return parse(html)


def _lines(page: Element) -> list[str]:
    return [line.text for line in page.all("p", class_="left-out")]


@pytest.mark.parametrize(
    ("said", "times"),
    [
        (r"20 of 144 groups shown, the largest first; 7 of 9 measures shown\. All of them: "
         r"rai metrics lending --by column_0,column_1 --format csv", 1),
        (r"20 of 1,728 groups shown, .*", 1),
        (r"30 of 501 columns shown; .*", 1),
        (r"8 of 60 charts shown", 1),
        (r"30 of 400 notes shown", 1),
    ],
)  # fmt: skip
def test_a_large_audit_stays_readable_and_says_what_it_leaves_out(large: Element, said: str, times: int) -> None:
    assert sum(re.fullmatch(said, line) is not None for line in _lines(large)) == times


def test_the_sensitive_columns_of_a_wide_table_are_not_left_out(large: Element) -> None:
    assert large.one("section", id="data").one("tbody").all("tr")[0].one("th").text == "s"


def test_intersections_are_folded_under_the_single_columns(large: Element) -> None:
    folded = [item.one("summary").text for item in large.all("details", class_="kept")]
    names = ["column_0 × column_1", "column_0 × column_2", "column_1 × column_2", "column_0 × column_1 × column_2"]
    assert folded == [f"By {name}, test rows" for name in names]


def test_the_json_of_a_hostile_audit_is_json() -> None:
    audit = json.loads(json.dumps(hostile_audit(PAYLOADS[0]).as_json(), allow_nan=False))
    assert audit["title"] == PAYLOADS[0]
    assert audit["outcome"] == "fail"
