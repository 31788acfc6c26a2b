"""How often chunks of rows in an order alarm: over one reference however lucky, over many, and on a real shift."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, chi2_contingency, ks_2samp

from rai_assets.monitoring.drift import DriftResult, DriftSettings, drift
from rai_assets.monitoring.drift.calibration import chi_squared_p
from rai_assets.monitoring.drift.order import max_t

LEVEL, FALSE_ALARMS, POWER = 0.05, 0.07, 0.05
BLOCKS, ROWS = 26, 100


def people(rng: np.random.Generator, chunks: int, older: float = 0.0) -> pd.DataFrame:
    """Rows that do not depend on each other."""
    rows = chunks * ROWS
    return pd.DataFrame({"age": rng.normal(40 + older, 10, rows).round(2), "town": rng.choice(list("abc"), rows)})


def weather(rng: np.random.Generator, chunks: int) -> pd.DataFrame:
    """Rows of which each resembles the one before; nothing else changes."""
    rows = chunks * ROWS
    drawn = rng.normal(size=(rows, 2))
    for at in range(1, rows):
        drawn[at] = 0.9 * drawn[at - 1] + np.sqrt(1 - 0.9**2) * drawn[at]
    return pd.DataFrame({"wind": drawn[:, 0], "sky": np.where(drawn[:, 1] > 0.5, "clear", "cloudy")})


def compared(reference: pd.DataFrame, current: pd.DataFrame, null: str = "auto") -> DriftResult:
    return drift(reference, current, DriftSettings(chunks=ROWS, null=null))  # type: ignore[arg-type]


def share(found: DriftResult) -> float:
    """Of the chunks, those with an alarm."""
    return len({row.chunk for row in found.drifted}) / len({row.chunk for row in found.rows})


def beyond_blocks(reference: pd.DataFrame, found: DriftResult) -> float:
    """Share of the chunks that would alarm by the blocks of the reference alone."""
    blocks = []
    for start in range(0, len(reference), ROWS):
        block = reference[start : start + ROWS]
        rest, told = reference.drop(block.index), []
        for name in reference:
            if reference[name].dtype == object:
                table = pd.crosstab(reference[name], reference.index.isin(block.index))
                told.append(chi2_contingency(table, correction=False).statistic)
            else:
                told.append(ks_2samp(rest[name], block[name]).statistic)
        blocks.append(told)
    statistics = np.array([row.statistic for row in found.rows]).reshape(-1, reference.shape[1])
    return float(np.mean([max_t(chunk, np.array(blocks)).min() <= LEVEL for chunk in statistics]))


def test_one_reference_with_blocks_that_are_alike_does_not_make_alarms() -> None:
    """All batches share a reference: rows dealt out to its blocks in turn, so that these hardly differ."""
    rng = np.random.default_rng(1)
    drawn = people(rng, BLOCKS)
    dealt = drawn.sort_values(["town", "age"]).reset_index(drop=True)
    reference = pd.concat([dealt[turn::BLOCKS] for turn in range(BLOCKS)], ignore_index=True)
    found = compared(reference, people(rng, 300))
    assert beyond_blocks(reference, found) > 0.9
    assert 0 < share(found) <= FALSE_ALARMS


def test_what_rows_say_hardly_depends_on_which_reference_it_is() -> None:
    """A share of one half is drawn in a reference of 20 chunks; 19 of 20 references have it nearer than these two."""
    n, reference = 20_000, 400_000
    for side in (-1, 1):
        women = round(reference / 2 + side * 1.96 * np.sqrt(reference) / 2)
        before, found = np.array([women, reference - women]), np.arange(9_500, 10_501)
        alarmed = [chi_squared_p(before, np.array([now, n - now])).value <= LEVEL for now in found]
        assert binom.pmf(found[alarmed], n, 0.5).sum() == pytest.approx(0.065, abs=0.002)


def test_neighbours_that_resemble_each_other_do_not_make_alarms() -> None:
    rng = np.random.default_rng(2)
    told, by_rows = [], []
    for _ in range(15):
        rows = weather(rng, BLOCKS + 20)
        sides = rows[: BLOCKS * ROWS], rows[BLOCKS * ROWS :].reset_index(drop=True)
        told.append(share(compared(*sides)))
        by_rows.append(share(compared(*sides, "permutation")))
    assert 0 < np.mean(told) <= FALSE_ALARMS
    assert np.mean(by_rows) > 0.8


def test_a_column_of_rare_values_does_not_raise_the_bar_for_the_others() -> None:
    """A twentieth of the values makes few large chi-squared; against them a shift of half a deviation has to show."""
    rng = np.random.default_rng(4)

    def rows(chunks: int, shift: float) -> pd.DataFrame:
        rare = {name: rng.random(chunks * ROWS) < 0.02 for name in "abcd"}
        return people(rng, chunks, older=10 * shift).assign(
            **{name: np.where(rare[name], "yes", "no") for name in rare}
        )

    found = {"blocks": [0.0], "permutation": [0.0]}
    for _ in range(12):
        reference, moved = rows(BLOCKS, 0), rows(20, 0.5)
        for null, shares in found.items():
            told = compared(reference, moved, null)
            shares.append(sum(row.column == "age" for row in told.drifted) / 20)
    blocks, permutation = (float(np.mean(shares[1:])) for shares in found.values())
    assert permutation > 0.9
    assert blocks > permutation - 2 * POWER, "26 blocks know less of the far tail than the textbook"


def test_a_shift_is_found_as_by_the_blocks_alone() -> None:
    rng = np.random.default_rng(3)
    both, blocks = [], []
    for _ in range(15):
        reference = people(rng, BLOCKS)
        found = compared(reference, people(rng, 20, older=4.0))
        both.append(share(found))
        blocks.append(beyond_blocks(reference, found))
    assert 0.5 < np.mean(blocks) < 0.95
    assert np.mean(both) >= np.mean(blocks) - POWER
