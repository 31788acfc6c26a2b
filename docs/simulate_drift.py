"""Writes docs/drift_calibration.md from simulations; `make statistics` runs it, a nightly test compares."""

from __future__ import annotations

from pathlib import Path

from rai_assets_tests.monitoring.drift import simulation

PAGE = Path(__file__).parent / "drift_calibration.md"

HEAD = """\
# How far an alarm of drift can be trusted

How often each calibrated method of `rai drift` alarms at a level of {level:.0f} %, one column by itself: on two
samples of one population (*false alarms*, at most {level:.0f} % by promise), and on samples of two that differ
(*power*). `make statistics` writes this page, in about half an hour; `make nightly` simulates it again and compares.
The populations stand in `rai_assets_tests/monitoring/drift/simulation.py`.

- Seed {seed}, {draws:,} pairs of samples a cell of either kind: the standard error of {level:.0f} % is {error:.1f}
  points, that of a power of one half {half:.1f} points.
- A cell reads *false alarms / power (power within reach)*, in percent. Within reach is the power of the same statistic
  with its critical value known from the population, which nobody has outside a simulation ({times} times as many pairs
  tell it here); for unseen values that the population never has, it is that of Fisher's exact test.
- `textbook` is Pearson's test by its asymptotic distribution. It holds its level only with enough rows a category.
- `ks`, `chi_squared` with at least 5 expected rows a cell, and `missing` take closed forms: the textbook's tests.
  Tables of two values have exact p-values, where every split of the pooled rows counts. So has `unseen` unless very
  many values are rare, and its p-value is a mid-p, since a handful of rows has few possible splits. All else is
  redrawn from the pooled rows, both sides, which costs about a point of power: near the level chance decides.
- Categories have shares in proportion to 1, 1/2, 1/3, ...; where the populations differ every second share grows. For
  `unseen` a new category comes in about six current rows. Numbers are normal, rounded to a tenth, and shifted.
- A statistic with few possible values is coarse: its false alarms are well under the level. So is the textbook's `ks`
  on rounded numbers, and less powerful than it could be: it counts on numbers that are all different.
- Promised: false alarms of at most 7 %, and a power within 5 points of what is in reach. With 2 categories one number
  decides, and what is in reach is the power of `textbook`. `ks` and `missing` are the textbook's tests themselves.

The most false alarms of a cell: {worst}.
The most power lost in a cell, the textbook's tests apart: {lost}.
"""


def sizes(population: str) -> list[tuple[int, int]]:
    """Rows of reference and current that are simulated; one pair where every value is another."""
    if population == "numbers, all different":
        return [(1000, 1000)]
    return [(before, now) for before in simulation.SIZES for now in simulation.SIZES]


def section(population: str) -> str:
    """Every method at every size, for one population."""
    cells = {pair: simulation.alarms(population, *pair) for pair in sizes(population)}
    methods = next(iter(cells.values())).keys()
    heads = ["method", *(f"{before:,} and {now:,}" for before, now in cells)]
    lines = [heads, [":--", *["--:"] * len(cells)]]
    lines += [[f"`{method}`", *(_cell(found[method]) for found in cells.values())] for method in methods]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"\n## {population[0].upper()}{population[1:]}\n\nRows of the reference and current rows.\n\n{table}\n"


def _cell(found: simulation.Alarms) -> str:
    reach = "" if found.reference_power is None else f" ({_percent(found.reference_power)})"
    return f"{_percent(found.false)} / {_percent(found.power)}{reach}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def head() -> str:
    """What the page is, and its worst cells."""
    every = [
        (f"`{method}`, {population}, {before:,} and {now:,} rows", found, simulation.lost(method, population, methods))
        for population in simulation.POPULATIONS
        for before, now in sizes(population)
        for methods in [simulation.alarms(population, before, now)]
        for method, found in methods.items()
        if method != simulation.TEXTBOOK
    ]
    worst, most, _ = max(every, key=lambda cell: cell[1].false)
    lost, _, least = max(every, key=lambda cell: cell[2] or 0.0)
    return HEAD.format(
        level=100 * simulation.LEVEL,
        seed=simulation.SEED,
        draws=simulation.DRAWS,
        error=100 * (simulation.LEVEL * (1 - simulation.LEVEL) / simulation.DRAWS) ** 0.5,
        times=simulation.CRITICAL_TIMES,
        half=100 * (0.25 / simulation.DRAWS) ** 0.5,
        worst=f"{_percent(most.false)} % ({worst})",
        lost=f"{_percent(least or 0.0)} points ({lost})",
    )


if __name__ == "__main__":
    parts = [head(), *(section(population) for population in simulation.POPULATIONS)]
    PAGE.write_text("".join(parts), encoding="utf-8")
