"""Gaps within strata: Simpson's paradox, standardisation by hand, and coverage in sparse strata."""

from __future__ import annotations

import numpy as np
import pytest

from rai_assets.metrics.conditional import measure_conditional
from rai_assets.metrics.intervals import difference_interval, proportion_interval, t_interval
from rai_assets.metrics.number import Number
from rai_assets.metrics.rows import Grouping, Rows
from rai_assets.metrics.table import measure


def grouping(column: str, codes: np.ndarray) -> Grouping:
    labels = tuple({column: str(code)} for code in range(int(codes.max()) + 1))
    return Grouping((column,), codes.astype(np.int32), labels)


def one(numbers: list[Number], definition: str) -> Number:
    return next(number for number in numbers if number.definition == f"{definition}@1")


def admissions() -> tuple[Rows, Grouping, Grouping]:
    """Berkeley in small: women apply where few are admitted; each department admits both at one rate."""
    counts = {  # (department, sex): (admitted, rejected)
        (0, 0): (240, 160),
        (0, 1): (60, 40),
        (1, 0): (20, 80),
        (1, 1): (80, 320),
    }
    rows = [
        (department, sex, decision)
        for (department, sex), (admitted, rejected) in counts.items()
        for decision, times in ((1, admitted), (0, rejected))
        for _ in range(times)
    ]
    department, sex, decision = np.array(rows).T
    return Rows("binary", ("no", "yes"), decision=decision), grouping("sex", sex), grouping("department", department)


def test_a_gap_that_the_departments_explain_is_gone_within_them() -> None:
    rows, sex, department = admissions()
    marginal = one(measure(rows, sex), "selection_rate_difference")
    assert marginal.value == pytest.approx(0.52 - 0.28)
    assert marginal.low is not None and marginal.low > 0.15
    within = one(measure_conditional(rows, sex, department), "selection_rate_conditional_difference")
    assert within.value == pytest.approx(0, abs=1e-12)
    assert within.low == 0
    assert within.high is not None and within.high < 0.1
    assert dict(within.coordinates) == {"sensitive": "sex", "stratifier": "department"}
    assert within.n == 1000


def test_the_standardised_rate_is_the_strata_shares_mean() -> None:
    rng = np.random.default_rng(0)
    n = 3000
    stratum, group = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1]), rng.integers(0, 2, n)
    target, decision = rng.integers(0, 2, (2, n))
    weight = rng.exponential(size=n)
    rows = Rows("binary", ("no", "yes"), target, decision, weight=weight)
    share = np.bincount(stratum, weight) / weight.sum()

    def rate(code: int, s: int) -> float:
        chosen = (group == code) & (stratum == s) & (target == 1)
        return float(np.average(decision[chosen], weights=weight[chosen]))

    wanted = abs(sum(share[s] * (rate(0, s) - rate(1, s)) for s in range(4)))
    numbers = measure_conditional(rows, grouping("g", group), grouping("s", stratum))
    assert one(numbers, "true_positive_rate_conditional_difference").value == pytest.approx(wanted, abs=1e-12)


def gap_interval(values: np.ndarray, bounds: np.ndarray) -> tuple[float, float]:
    """Of two groups, from their values (2,) and bounds (2, 2)."""
    below, above = difference_interval(values[0], bounds[0], values[1], bounds[1])
    return max(below, -above, 0.0), max(above, -below)


def test_the_interval_of_a_standardised_rate_is_that_of_as_many_trials_as_its_variance_amounts_to() -> None:
    selected, n = np.array([[12, 30, 0], [9, 4, 2]]), np.array([[20, 50, 8], [40, 25, 12]])
    codes = [(g, s, int(k < selected[g, s])) for g in range(2) for s in range(3) for k in range(n[g, s])]
    group, stratum, decision = np.array(codes).T
    rows = Rows("binary", ("no", "yes"), decision=decision)
    number = one(
        measure_conditional(rows, grouping("g", group), grouping("s", stratum)), "selection_rate_conditional_difference"
    )
    share = n.sum(axis=0) / n.sum()
    values, bounds = (selected / n) @ share, []
    for g in range(2):
        moved = (selected[g] + 0.5) / (n[g] + 1)
        trials = (moved @ share) * (1 - moved @ share) / (share**2 * moved * (1 - moved) / n[g]).sum()
        bounds.append(proportion_interval(values[g] * trials, trials))
    assert number.value == pytest.approx(abs(values[0] - values[1]))
    assert (number.low, number.high) == pytest.approx(gap_interval(values, np.array(bounds)))


def test_the_interval_of_a_standardised_mean_pools_the_spread_also_beside_single_rows() -> None:
    rng = np.random.default_rng(3)
    n = np.array([[9, 14, 1], [30, 6, 5]])
    group = np.repeat([0, 1], n.sum(axis=1))
    stratum = np.concatenate([np.repeat(range(3), n[g]) for g in range(2)])
    target = rng.normal(size=n.sum()) + stratum + group
    rows = Rows("regression", target=target)
    numbers = measure_conditional(rows, grouping("g", group), grouping("s", stratum))
    assert [number.definition for number in numbers] == ["mean_target_conditional_difference@1"]
    share = n.sum(axis=0) / n.sum()
    values, bounds = np.empty(2), []
    for g in range(2):
        parts = [target[(group == g) & (stratum == s)] for s in range(3)]
        values[g] = sum(w * part.mean() for w, part in zip(share, parts, strict=True))
        degrees = n[g].sum() - 3
        pooled = sum(((part - part.mean()) ** 2).sum() for part in parts) / degrees
        bounds.append(t_interval(values[g], np.sqrt(pooled * (share**2 / n[g]).sum()), degrees))
    assert (numbers[0].low, numbers[0].high) == pytest.approx(gap_interval(values, np.array(bounds)))


def test_rows_without_weight_are_as_good_as_not_there() -> None:
    rng = np.random.default_rng(4)
    stratum, group, decision = rng.integers(0, 2, (3, 400))
    weight = rng.exponential(size=400) * (rng.random(400) < 0.8)
    there = weight > 0
    whole, part = (
        measure_conditional(
            Rows("binary", ("no", "yes"), decision=decision[kept], weight=weight[kept]),
            grouping("g", group[kept]),
            grouping("s", stratum[kept]),
        )
        for kept in (np.ones(400, bool), there)
    )
    assert whole == part


def test_strata_without_every_group_are_left_out_and_counted() -> None:
    rows, sex, department = admissions()
    codes = department.codes.copy()
    codes[:50] = 2  # men only
    numbers = measure_conditional(rows, sex, grouping("department", codes))
    number = one(numbers, "selection_rate_conditional_difference")
    assert number.reason == "50 of 1000 rows left out, in strata where a group has no row"
    apart = measure_conditional(rows, sex, grouping("sex", sex.codes))
    assert one(apart, "selection_rate_conditional_difference").reason == "no stratum holds rows of every compared group"


def test_a_group_under_the_minimum_size_does_not_empty_the_strata() -> None:
    rows, sex, department = admissions()
    codes = sex.codes.copy()
    codes[:3] = 2
    number = one(measure_conditional(rows, grouping("sex", codes), department), "selection_rate_conditional_difference")
    assert number.reason == "left out: sex=2 (3 rows, under the minimum size 5)"


def test_means_are_compared_within_strata_too() -> None:
    rng = np.random.default_rng(1)
    stratum, group = rng.integers(0, 2, (2, 400))
    target = 10.0 * stratum + rng.normal(size=400)
    prediction = target + group  # one group's predictions are 1 too high everywhere
    rows = Rows("regression", target=target, score=prediction)
    numbers = measure_conditional(rows, grouping("g", group), grouping("s", stratum))
    number = one(numbers, "mean_error_conditional_difference")
    assert number.value == pytest.approx(1)
    assert one(numbers, "mean_target_conditional_difference").high < 0.5  # type: ignore[operator]


def test_every_class_is_compared_within_strata() -> None:
    rng = np.random.default_rng(2)
    stratum, group = rng.integers(0, 2, (2, 300))
    rows = Rows("multiclass", ("a", "b", "c"), decision=rng.integers(0, 3, 300))
    numbers = measure_conditional(rows, grouping("g", group), grouping("s", stratum))
    assert [number.coordinates["class"] for number in numbers] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("strata", "per_cell", "rates"),
    [(20, 5, (0.05, 0.05)), (20, 5, (0.1, 0.9)), (3, 60, (0.01, 0.6)), (2, 10, (0.02, 0.3))],
)
def test_the_gap_is_covered_in_few_and_in_sparse_strata(strata: int, per_cell: int, rates: tuple[float, float]) -> None:
    rng = np.random.default_rng(strata)
    stratum = np.tile(np.repeat(np.arange(strata), per_cell), 2)
    group = np.repeat([0, 1], strata * per_cell)
    probability = np.linspace(*rates, strata)[stratum]
    groupings = grouping("g", group), grouping("s", stratum)
    holds = []
    for _ in range(300):
        rows = Rows("binary", ("no", "yes"), decision=(rng.random(len(group)) < probability).astype(np.int8))
        number = one(measure_conditional(rows, *groupings), "selection_rate_conditional_difference")
        assert number.high is not None
        holds.append(number.low == 0 and number.high >= 0)
    assert np.mean(holds) >= 0.93
