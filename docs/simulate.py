"""Writes docs/statistics.md from simulations; `make statistics` runs it, a nightly test compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rai_assets.metrics.definitions import definition
from rai_assets.metrics.intervals import proportion_interval
from rai_assets_tests.analysis.explanation import importance
from rai_assets_tests.defs.lending import power
from rai_assets_tests.metrics import coverage, grids, verdicts

PAGE = Path(__file__).parent / "statistics.md"
PROMISED = [*grids.BINARY, *grids.ERRORS, *grids.CLASSES]

HEAD = """\
# How far the statistics can be trusted

Every interval is at 95 %. This page shows how often intervals hold the truth and how often verdicts are wrong, on
samples from populations whose truth is known exactly. `make statistics` writes it, in about ten minutes; `make nightly`
simulates it again and compares. The populations stand in `rai_assets_tests/metrics/grids.py`.

- Seed {seed}. {group_draws:,} samples a cell for one group, {gap_draws:,} for gaps: the standard error of a coverage of
  95 % is {group_error:.1f} and {gap_error:.1f} points.
- A cell is the percentage of samples whose interval holds the truth, the lowest over groups and classes, so it errs on
  the low side. More than 95 is conservative: the interval is wider than it has to be.
- A dash: fewer than {fewest} samples have an interval, because a denominator is under the minimum size of 5 or all
  rows are alike. Coverage is that of the samples with an interval.
- *Weighted*: every row has a random, exponentially distributed weight, so that n rows tell as much as n / 2.
- The aim is at least {needed:.0f} % from 5 rows on. The lowest of all cells, those under *Where no interval holds*
  apart, is {worst} %.
"""

WILD = """
## Where no interval holds

No method that looks at a small sample alone can allow for values so rare and so large that the sample holds none of
them. Where errors are like these, the root mean squared error of few rows can be larger than its interval says, R² can
lie outside its interval at any size, and the mean error of fewer than ten rows too; the median absolute error is safe.

Of 8, 12 and 30 log-normal errors with sigma 1 the methods of the literature do worse for the root mean squared error:
in 400 samples each, Student's interval on the logarithm covers 44 to 62 %, Johnson's 36 to 52 %, the bootstrap-t 52 to
76 %, BCa 43 to 63 %, Bonett's 42 to 60 %; ours 62 to 86 %. Allowing for squares eight times the largest one seen, not
three, would cover 97 %, and make the interval of normal errors, which covers 98 % and more, over two thirds wider.
"""

GAPS = """
## Gaps between groups

Largest less smallest, and smallest over largest, cover all pairs together, also when all groups are equal. A gap to a
reference group has 95 % of its own. The named gaps of both error rates cover the two together, which is conservative.
"""

IMPORTANCE = """
## Importance of a column

Mean |Shapley value| of a logistic regression, on samples of {sizes} rows from a pool of {pool:,}; {draws} samples a
cell, standard error {error:.1f} points.

"""

VERDICTS = """
## Verdicts

A requirement passes or fails only where the whole interval lies on one side of its limit; else it cannot be told. Each
cell: the percentage of {draws:,} samples that pass / fail / cannot be told, by the rows of each group and the distance
of the true value from the limit. Under an upper limit a true value above it (positive distance) must not pass and one
at or below it must not fail; under a lower limit the other way round.
"""

FINDINGS = """
## False findings and power on the lending demo

20,000 made applications a seed, trained and audited; four claims per audit, adjusted by Holm's method to 5 % for the
audit.

"""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is words, the others are numbers."""
    lines = [heads, [":--", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def percent(share: float) -> str:
    """A share to a tenth of a percent."""
    return f"{100 * share:.1f}"


def coverage_table(found: grids.Table) -> str:
    """Coverage in percent: metrics by scenarios; a dash where too few samples have an interval."""
    names = dict.fromkeys(name for row in found.values() for name in row)
    rows = [
        [definition(name).name, *(percent(row[name].held) if name in row else "–" for row in found.values())]
        for name in names
    ]
    return table(["", *found], rows)


def head() -> str:
    """What the page is, and the errors of its figures."""
    found = (*map(grids.of_groups, PROMISED), *map(grids.of_gaps, grids.GAPS), grids.of_strata())
    return HEAD.format(
        seed=grids.SEED,
        group_draws=grids.GROUP_DRAWS,
        gap_draws=grids.GAP_DRAWS,
        group_error=_error(grids.GROUP_DRAWS),
        gap_error=_error(grids.GAP_DRAWS),
        fewest=coverage.FEWEST,
        needed=100 * grids.NEEDED,
        worst=percent(min(told.held for table in found for row in table.values() for told in row.values())),
    )


def groups() -> str:
    """Coverage of the metrics of one group."""
    return "\n## One group\n\nColumns are rows of the sample.\n" + "".join(_kind(kind) for kind in PROMISED)


def _kind(kind: str) -> str:
    return f"\n### {kind[0].upper()}{kind[1:]}\n\n{coverage_table(grids.of_groups(kind))}"


def _error(draws: int) -> float:
    """Standard error of a coverage of 95 %, in points."""
    return 100 * (0.95 * 0.05 / draws) ** 0.5


def wild() -> str:
    """Coverage where it fails, in print."""
    return WILD + "".join(_kind(kind) for kind in grids.WILD_ERRORS)


def gaps() -> str:
    """Coverage of gaps."""
    words = {"binary": "Scores and decisions", "regression": "Predicted numbers", "several classes": "Several classes"}
    parts = [f"\n### {words[task]}\n\n{coverage_table(grids.of_gaps(task))}" for task in grids.GAPS]
    return GAPS + "".join(parts) + f"\n### Within strata\n\n{coverage_table(grids.of_strata())}"


def attributions() -> str:
    """Coverage of importance."""
    found = importance.importance_coverage()
    names = dict.fromkeys(name for row in found.values() for name in row)
    rows = [[name, *(percent(row[name]) if name in row else "–" for row in found.values())] for name in names]
    told = IMPORTANCE.format(
        sizes=", ".join(map(str, found)),
        pool=importance.POOL,
        draws=importance.DRAWS,
        error=_error(importance.DRAWS),
    )
    return told + table(["column", *map(str, found)], rows)


def judgements() -> str:
    """Error rates of the verdicts."""
    parts = [VERDICTS.format(draws=verdicts.DRAWS)]
    for rule in verdicts.RULES:
        rows = [
            [f"n = {size}", *(_outcome(rule, size, distance) for distance in verdicts.DISTANCES)]
            for size in verdicts.SIZES
        ]
        worst = max(verdicts.wrong(rule, size, distance) for size in verdicts.SIZES for distance in verdicts.DISTANCES)
        parts.append(
            f"\n### {rule.text[0].upper()}{rule.text[1:]}\n\n"
            + table(["distance", *(f"{distance:+.2f}" for distance in verdicts.DISTANCES)], rows)
            + f"\nMost wrong verdicts in a cell: {percent(worst)} %.\n"
        )
    return "".join(parts)


def _outcome(rule: verdicts.Rule, size: int, distance: float) -> str:
    return " / ".join(f"{100 * share:.0f}" for share in verdicts.outcomes(rule, size, distance).values())


def findings() -> str:
    """False findings and power on the demo."""
    twins, planted = len(power.TWINS), len(power.PLANTED)
    rows = [
        ["nothing planted: at least one claim", f"{twins}", *_share(power.false_findings(), twins)],
        ["four faults planted: all four found", f"{planted}", *_share(power.all_found(), planted)],
    ]
    return FINDINGS + table(["", "audits", "so many", "%", "95 % interval"], rows)


def _share(count: int, of: int) -> list[str]:
    low, high = (float(bound) for bound in proportion_interval(count, of))
    return [f"{count}", percent(count / of), f"{percent(low)} to {percent(high)}"]


SECTIONS: Mapping[str, Callable[[], str]] = {
    "head": head,
    "groups": groups,
    "wild": wild,
    "gaps": gaps,
    "attributions": attributions,
    "judgements": judgements,
    "findings": findings,
}

if __name__ == "__main__":
    PAGE.write_text("".join(section() for section in SECTIONS.values()), encoding="utf-8")
