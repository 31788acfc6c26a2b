"""The report in a real browser, opened from the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from rai_assets.monitoring.windows.window import Refused
from rai_assets.report.html import render, render_production
from rai_assets_tests.report.sample import sample_audit
from rai_assets_tests.report.test_production import report_of, seen

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"no browser on this machine: none of {', '.join(NAMES)}")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_playwright() as session:
        opened = session.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_without_a_message_or_a_request_and_fits_the_screen(browser, tmp_path: Path, width: int) -> None:
    report = tmp_path / "report.html"
    report.write_text(render(sample_audit()), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    assert messages == []
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    assert [url for url in requests if url.startswith("file:")] == [report.as_uri()]
    # The policy holds back no style: the outcome has its colour.
    assert page.eval_on_selector(".outcome", "e => getComputedStyle(e).backgroundColor") == "rgb(251, 236, 236)"
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".sentence").is_visible()
    assert not page.locator("figure details table").first.is_visible()
    page.locator("figure summary").first.click()
    assert page.locator("figure details table").first.is_visible()
    page.close()


BROKEN_WORDS = """table => {
    const texts = document.createTreeWalker(table, NodeFilter.SHOW_TEXT), broken = [];
    for (let text = texts.nextNode(); text; text = texts.nextNode())
        for (const word of text.data.matchAll(/[\\w.]+/g)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            if (range.getClientRects().length > 1) broken.push(word[0]);
        }
    return broken;
}"""


def test_a_table_wider_than_a_phone_scrolls_in_its_own_box_with_its_words_whole(browser, tmp_path: Path) -> None:
    found = {"rows": [], "checks": {"columns_unchanged": {"passed": False, "sentence": "loan_amount has changed"}}}
    batches = [seen(f"2025-{month:02d}", drift=found) for month in range(1, 13)]
    refused = Refused("2025-09b", datetime(2025, 10, 1, tzinfo=UTC), "row 1, column 'debt_ratio': '48.6' is above 1")
    report = tmp_path / "report.html"
    report.write_text(render_production(report_of(*batches, quarantined=(refused,))), encoding="utf-8")
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wider = 0
    for box in page.locator(".scroll:has(table)").all():
        assert box.locator("table").evaluate(BROKEN_WORDS) == []
        box.evaluate("box => box.scrollTo(9999, 0)")
        ends = box.evaluate(
            "box => [box.getBoundingClientRect().right, box.querySelector('table').getBoundingClientRect().right]"
        )
        assert ends[1] <= ends[0] + 1, "its last column comes into sight"
        wider += box.evaluate("box => box.scrollLeft > 0")
    assert wider
    page.close()


def test_it_prints_with_the_intersections_unfolded(browser, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text(render(sample_audit()), encoding="utf-8")
    page = browser.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    assert page.locator("details.kept table").first.is_visible()
    assert not page.locator("nav").is_visible()
    assert len(page.pdf(prefer_css_page_size=True)) > 50_000
    page.close()
