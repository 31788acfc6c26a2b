"""The colours can be told apart, also by readers who see fewer of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rai_assets.charts import matrix, theme

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(rgb: np.ndarray) -> float:
    return float(rgb @ [0.2126, 0.7152, 0.0722])


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    xyz = np.array(to_xyz) @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("colour", theme.SERIES)
def test_a_mark_stands_out_from_the_paper(colour: str) -> None:
    assert contrast(luminance(linear(colour)), 1.0) >= 3


@pytest.mark.parametrize("colour", [theme.INK, theme.QUIET])
def test_text_is_legible(colour: str) -> None:
    assert contrast(luminance(linear(colour)), 1.0) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
def test_series_differ_for_every_kind_of_sight(sight: str) -> None:
    seen = [lab(np.array(SIGHT[sight]) @ linear(colour)) for colour in theme.SERIES]
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2)) >= 15


def test_figures_on_the_ramp_are_legible() -> None:
    stops = [np.array([int(c[place : place + 2], 16) for place in (1, 3, 5)]) for c in theme.RAMP]
    for depth in np.linspace(0, 1, 101):
        place = depth * (len(stops) - 1)
        low = min(int(place), len(stops) - 2)
        mixed = stops[low] + (place - low) * (stops[low + 1] - stops[low])
        behind = luminance(linear("#" + "".join(f"{round(value):02x}" for value in mixed)))
        text = 1.0 if depth > matrix._TURN else 0.0
        assert contrast(behind, text) >= 4.5, depth


def test_every_series_has_its_own_shape_and_dash() -> None:
    assert len(set(theme.SHAPES)) == len({tuple(dash) for dash in theme.DASHES}) == len(theme.SERIES)
