"""The report in a real browser, opened from the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from rai_assets.report.html import render
from rai_assets_tests.report.sample import sample_audit

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
