"""What leaves the product: cells of a spreadsheet, the page, Dagster's metadata, a terminal. Rows 22, 28, 30 and 31."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from rai_assets_tests.hostile.conftest import Case
from rai_assets_tests.report.page import Element, parse

FORMULAS = ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(1)", "\tx", "\rx"]
MARKUP = [
    "</script><img src=x onerror=alert(1)>",
    "![](http://example.invalid/b.png)",
    "{{7*7}}{%raw%}#read(1)",
    "[x](javascript:alert(1))",
    "\x1b[2J\x1b]0;owned\x07",
]


def group_rows(groups: list[str]) -> str:
    """Sixty rows whose sensitive column holds these groups."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["age", "income", "sex", "repaid"])
    for row in range(60):
        writer.writerow([row % 9 - 4, row % 7 - 3, groups[row % len(groups)], "yes" if row % 3 else "no"])
    return text.getvalue()


def audited_groups(case: Case, groups: list[str]) -> None:
    (case.place / "loans.csv").write_bytes(group_rows(groups).encode())
    case.declare(", allowed: [F, M]", "")
    done = case.rai("run", "loans")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err


def test_22_cells_that_a_spreadsheet_would_run(case: Case) -> None:
    groups = [text for text in FORMULAS if not text.startswith("\r")] + ["\nplain"]
    audited_groups(case, groups)
    words = ("metrics", "loans", "--definition", "selection_rate", "--by", "sex")
    done = case.rai(*words, "--format", "csv")
    cells = [cell for row in csv.reader(io.StringIO(done.out)) for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-[^0-9]", cell)]
    told = {json.loads(row["group"])["sex"] for row in csv.DictReader(io.StringIO(done.out))}
    exact = {number["group"]["sex"] for number in json.loads(case.rai(*words, "--format", "json").out)}
    assert told == exact == set(groups), "a cell is an object in JSON, so its texts need no mark; machines read JSON"


@pytest.fixture
def page(case: Case) -> Element:
    """The report of an audit whose group names, title and description are payloads."""
    case.declare("title: Small loans", f"title: {json.dumps(MARKUP[0])}\n  description: {json.dumps(MARKUP[1])}")
    audited_groups(case, MARKUP[:4])
    assert case.rai("report", "loans").code == 0
    return parse((case.folder / "loans-report.html").read_text())


def test_28_31_markup_in_names_is_text_on_the_page(page: Element) -> None:
    assert page.one("h1").text == MARKUP[0]
    assert not list(page.all("script"))
    assert not [item for item in page.all("img") if not (item.attributes["src"] or "").startswith("data:image/svg+xml")]
    assert not [name for item in page.all() for name in item.attributes if name.startswith("on")]
    links = [item.attributes.get("href") or "" for item in page.all("a")]
    assert all(link.startswith("#") for link in links)
    for payload in MARKUP[2:4]:
        assert payload in page.text, "a template's and a document's commands stand there as they were written"


@pytest.mark.nightly
def test_28_30_markup_in_names_is_text_in_dagsters_pages(case: Case) -> None:
    import dagster as dg

    audited_groups(case, MARKUP[:4])
    shown: list[str] = []
    with dg.DagsterInstance.get() as instance:
        for key in instance.all_asset_keys():
            event = instance.get_latest_materialization_event(key)
            assert event is not None and event.asset_materialization is not None
            for value in event.asset_materialization.metadata.values():
                assert not isinstance(value, dg.UrlMetadataValue)
                shown += [value.md_str or ""] if isinstance(value, dg.MarkdownMetadataValue) else []
    text = "\n".join(shown)
    assert "onerror" in text, "the names are in the preview"
    assert not re.search(r"(?<!\\)<(img|script)|(?<!\\)!\[|(?<!\\)\]\(|https?://", text)


@pytest.mark.nightly
def test_28_a_terminal_is_not_written_to(case: Case) -> None:
    audited_groups(case, [MARKUP[4], "b"])
    done = case.rai("metrics", "loans", "--by", "sex")
    assert done.code == 0 and "\x1b" not in done.out and "owned" in done.out
    case.declare("title: Small loans", 'title: "x\\e[2J"')
    assert "\x1b" not in case.rai("list").out
    (case.place / "loans.csv").write_text('"a\x1b[2J",b\n1,2\n')
    assert "\x1b" not in case.rai("run", "loans").err
