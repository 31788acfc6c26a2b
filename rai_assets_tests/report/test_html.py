"""The report is one offline file that a browser, a screen reader and an auditor can read."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import xml.etree.ElementTree as ET

import pytest

from rai_assets.charts.text import decimal
from rai_assets.report.html import render
from rai_assets_tests.report.page import Element, parse
from rai_assets_tests.report.sample import DATA_COMMIT, MODEL, RESULTS_COMMIT, sample_audit


@pytest.fixture(scope="module")
def html() -> str:
    return render(sample_audit())


@pytest.fixture(scope="module")
def page(html: str) -> Element:
    return parse(html)


def test_the_policy_allows_this_style_and_images_in_the_file_and_nothing_else(page: Element) -> None:
    policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"] or ""
    (style,) = (child for child in page.one("style").children if isinstance(child, str))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_fetched_and_nothing_runs(html: str, page: Element) -> None:
    elements = page.all()
    assert not {element.tag for element in elements} & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for element in elements:
        for name, value in element.attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            if name in ("src", "srcset"):
                assert (value or "").startswith("data:image/svg+xml;base64,")
            if name == "href":
                assert (value or "").startswith("#")
    assert "@import" not in html
    assert "url(" not in page.one("style").text


def test_every_link_has_its_target_and_every_id_is_unique(page: Element) -> None:
    identifiers = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(identifiers) == len(set(identifiers))
    for link in page.all("a"):
        assert (link.attributes["href"] or "")[1:] in identifiers
    for element in page.all():
        if "aria-labelledby" in element.attributes:
            assert element.attributes["aria-labelledby"] in identifiers


def test_landmarks_headings_and_tables_are_marked_for_assistive_technology(page: Element) -> None:
    assert page.one("html").attributes["lang"] == "en"
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        page.one(landmark)
    levels = [int(element.tag[1]) for element in page.all() if re.fullmatch(r"h[1-6]", element.tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for table in page.all("table"):
        assert table.one("caption").text
        assert all(heading.attributes["scope"] in ("col", "row") for heading in table.all("th"))
        widths = {len([cell for cell in row.all() if cell.tag in ("th", "td")]) for row in table.all("tr")}
        assert len(widths) == 1
    for region in page.all(role="region"):
        assert region.attributes["aria-label"]
        assert region.attributes["tabindex"] == "0"
    assert all(image.attributes["alt"] for image in page.all("img"))
    assert all(drawing.attributes["aria-hidden"] == "true" for drawing in page.all("svg"))


def test_every_chart_is_an_svg_with_its_numbers_beside_it(page: Element) -> None:
    audit = sample_audit()
    figures = page.all("figure")
    assert len(figures) == sum(len(section.charts) for section in audit.sections)
    for figure in figures:
        for image in figure.all("img"):
            encoded = (image.attributes["src"] or "").partition("base64,")[2]
            assert ET.fromstring(base64.b64decode(encoded)).tag.endswith("svg")
        assert figure.one("details").all("td")


def test_the_first_screen_has_the_outcome_and_each_verdict_as_word_shape_and_colour(page: Element) -> None:
    verdict = page.one("section", id="verdict")
    assert verdict.one(class_="outcome fail").one(class_="sentence").text == (
        "1 of 5 blocking requirements does not hold, and 2 cannot be told from these data."
    )
    rulings = verdict.one("ol").all("li")
    assert [ruling.one("p", class_="word").text for ruling in rulings] == [
        "Pass", "Fail", "Cannot tell", "Fail", "Pass", "Cannot tell",
    ]  # fmt: skip
    shapes = {ruling.attributes["class"]: str(ruling.all("svg")[0].children[1]) for ruling in rulings}
    assert len(set(shapes.values())) == 3
    second = rulings[1]
    assert second.one(class_="result").text == "0.190 0.176 to 0.205"
    assert second.all("p", class_="threshold")[0].text == "at most 0.1"
    assert "not blocking" in rulings[3].text
    assert "age_band = [65, inf)" in rulings[5].text


def test_the_drawn_threshold_lies_where_the_verdict_says(page: Element) -> None:
    for ruling in page.one("ol").all("li"):
        drawing = ruling.one("svg", class_="line")
        threshold = float(re.findall(r"[\d.]+", drawing.one(class_="threshold").attributes["d"] or "")[0])
        low, _, high = map(float, re.findall(r"[\d.]+", drawing.one(class_="range").attributes["d"] or ""))
        allowed = drawing.one(class_="allowed").attributes
        start = float(allowed["x"] or 0)
        end = start + float(allowed["width"] or 0)
        inside = start <= low and high <= end + 0.1
        if ruling.attributes["class"] == "pass":
            assert inside
        elif ruling.attributes["class"] == "fail":
            assert high < start or low > end
        else:
            assert low <= threshold <= high


def test_the_numbers_are_those_of_the_json(page: Element) -> None:
    audit = json.loads(json.dumps(sample_audit().as_json(), allow_nan=False))
    groups = {
        (number["group"]["race"], number["definition"]): number
        for section in audit["sections"]
        for number in section["numbers"]
        if list(number["group"]) == ["race"]
    }
    (table,) = (table for table in page.all("table") if table.one("caption").text == "By race, test rows")
    heads = [(link.attributes["href"] or "")[1:] for link in table.one("thead").all("a")]
    compared = 0
    for row in table.one("tbody").all("tr"):
        for definition, cell in zip(heads, row.all("td"), strict=True):
            number = groups[row.one("th").text, definition]
            value = cell.one(class_="value").text.removesuffix(" small").replace(",", "")
            assert float(value) == pytest.approx(number["value"], rel=0.005)
            assert number["small"] == ("small" in cell.text)
            if number["low"] is not None:
                assert f"{decimal(number['low'])} to {decimal(number['high'])}" in cell.text
                assert f"n {number['n']:,}" in cell.text
            compared += 1
    assert compared == 5 * 7


def test_a_suppressed_cell_gives_its_reason_and_no_number(page: Element) -> None:
    cells = [cell for cell in page.all("td") if cell.attributes.get("class") == "missing"]
    assert cells
    assert all(re.fullmatch(r"– \d rows, fewer than the minimum of 5", cell.text) for cell in cells)


def test_the_level_of_the_intervals_and_the_mark_of_few_rows_are_explained(page: Element) -> None:
    assert "the bar its 95 % interval" in page.one("section", id="verdict").text
    limits = page.one("section", id="notes").text
    assert "Intervals are at 95 %." in limits
    assert "small rests on fewer than 30 rows" in limits


def test_definitions_and_provenance_close_the_report(page: Element) -> None:
    rows = page.one("section", id="definitions").one("tbody").all("tr")
    (row,) = (row for row in rows if row.attributes["id"] == "false_positive_rate@1")
    assert "fp / (fp + tn)" in row.text
    footer = page.one("footer").text
    for word in (MODEL, DATA_COMMIT, RESULTS_COMMIT, "rai explain-number", f"lending@{RESULTS_COMMIT}:"):
        assert word in footer


def test_the_words_claim_nothing_that_numbers_cannot_show(page: Element) -> None:
    text = page.text.lower()
    for claim in ("bias-free", "unbiased", "compliant", "complies", "guarantee", "discriminat", "is fair"):
        assert claim not in text


def test_the_same_audit_is_the_same_bytes(html: str) -> None:
    assert render(sample_audit()) == html


def test_logged_decisions_without_requirements_make_a_report_too() -> None:
    page = parse(render(sample_audit(model=None, judged=(), sections=(), notes=(), owners=())))
    assert page.one(class_="outcome none").one(class_="sentence").text == (
        "No requirement is declared, so this report gives numbers and no verdict."
    )
    assert "No model was run" in page.one("section", id="model").text
