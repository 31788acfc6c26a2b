"""Text on the page has the contrast that WCAG 2.2 level AA asks for."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STYLE = files("rai_assets.report").joinpath("style.css").read_text()
COLOURS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", STYLE))
PAIRS = [
    ("ink", "paper"), ("quiet", "paper"), ("accent", "paper"), ("ink", "wash"), ("pass", "paper"), ("fail", "paper"),
    ("open", "paper"), ("pass", "pass-wash"), ("fail", "fail-wash"), ("open", "open-wash"), ("ink", "pass-wash"),
    ("ink", "fail-wash"), ("ink", "open-wash"), ("quiet", "open-wash"), ("quiet", "wash"),
]  # fmt: skip


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("text", "behind"), PAIRS)
def test_contrast(text: str, behind: str) -> None:
    light, dark = sorted((luminance(COLOURS[text]), luminance(COLOURS[behind])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_every_colour_of_the_style_is_named_once() -> None:
    assert set(re.findall(r"var\(--([a-z-]+)\)", STYLE)) == set(COLOURS)
