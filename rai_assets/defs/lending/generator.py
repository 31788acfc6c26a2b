"""Loan applications with a known causal structure and four faults that can be switched on.

Every row is one application of the years 2022 to 2024. An affordability review after the fact puts the applicant
into one of five merit bands; the loan officer's judgement `creditworthy` is what the model learns. An arrow reads
"is a cause of"; the letters mark arrows that exist only while that fault is on:

    age_group ----> merit_band ----> income, debt_ratio, months_in_job, own_accounts, late_payments
                        |
                        +----------> creditworthy <--(a)-- sex
                                      ^        ^
                                     (b)      (d)
                                      |        |
        origin ----> postcode_area ---+        +---- origin and year

        sex and age_group --(c)--> own_accounts (as recorded)

        channel, loan_amount: no cause, no effect

Without faults everything but `postcode_area` is independent of `sex`, `age_group` and `origin` within a merit band,
exactly. Young applicants are less often in the high bands, so a plain gap between age groups is there in any case;
it vanishes within merit bands and is no fault.

The faults:

    (a) label_bias      women are judged harsher than men of the same merit: a gap in `base_rate` given `merit_band`
    (b) proxy           two postcode areas, in which most people of origin B live, are marked down: the model, which
                        never sees `origin`, gives weight to the area and selects origin B less at the same merit
    (c) intersection    most accounts of women of 60 and more stand in their husbands' names: `own_accounts` is
                        recorded too low for them, and neither for other women nor for men of 60 and more
    (d) miscalibration  from 2024 on officers judge origin C harsher: scores learned before are too high for origin C

Split by time: train before 2023-07-01, calibration before 2024-01-01, test after.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FAULTS = ("label_bias", "proxy", "intersection", "miscalibration")
ROWS = 20_000

SEX = ("F", "M")
AGE_GROUPS = ("18-29", "30-59", "60+")
ORIGINS = ("A", "B", "C")
AREAS = ("N1", "N2", "S1", "S2", "E1", "E2")
MARKED_DOWN_AREAS = ("E1", "E2")
CHANNELS = ("branch", "broker", "phone", "web")
MERIT_BANDS = ("1 very low", "2 low", "3 middle", "4 high", "5 very high")

_AGE_SHARES = (0.25, 0.5, 0.25)
_ORIGIN_SHARES = (0.5, 0.3, 0.2)
_AREA_SHARES = np.array([[0.22, 0.22, 0.21, 0.21, 0.07, 0.07], [0.08, 0.08, 0.07, 0.07, 0.35, 0.35]])
_MERIT_SHARES = np.array([[0.26, 0.26, 0.20, 0.16, 0.12], [0.16, 0.19, 0.22, 0.23, 0.20]])
_MERIT_LOG_ODDS = np.array([-1.7, -0.5, 0.6, 1.6, 2.6])
_SHIFT_DAY = np.datetime64("2024-01-01")
_EFFECT = {"label_bias": -0.9, "proxy": -1.2, "miscalibration": -1.2}  # log-odds of `creditworthy`
_RECORDED_SHARE = 0.4  # of the accounts of women of 60 and more


def generate(
    n: int = ROWS,
    seed: int = 0,
    faults: bool | Collection[str] = True,
    *,
    first_day: str = "2022-01-01",
    last_day: str = "2024-12-31",
    age_shares: Sequence[float] = _AGE_SHARES,
) -> pa.Table:
    """Draw applications, ordered by date.

    The random draws do not depend on the faults: the twin without faults has the same applicants.

    Args:
        n: Number of rows.
        seed: Seed of every draw.
        faults: True for all of `FAULTS`, False for none, or the names of those to plant.
        first_day: The first day of an application, ISO.
        last_day: The last.
        age_shares: Share of each of `AGE_GROUPS`.

    Returns:
        A table of n rows with the columns of the module's description, `application_id` and `applied_on`.

    Raises:
        ValueError: A name in `faults` is not one of `FAULTS`.
    """
    planted = _planted(faults)
    rng = np.random.default_rng(seed)

    first = np.datetime64(first_day)
    day = np.sort(rng.integers(0, int((np.datetime64(last_day) - first).astype(int)) + 1, n))
    applied_on = first + day
    sex = rng.choice(len(SEX), n)
    age = rng.choice(len(AGE_GROUPS), n, p=list(age_shares))
    origin = rng.choice(len(ORIGINS), n, p=_ORIGIN_SHARES)
    area = _draw(rng, _AREA_SHARES[(origin == ORIGINS.index("B")).astype(int)])
    band = _draw(rng, _MERIT_SHARES[(age > 0).astype(int)])

    own_accounts = np.clip(np.round(5.0 + 2.0 * (band - 2) + rng.normal(0.0, 1.3, n)), 0, 12)
    if "intersection" in planted:
        own_accounts = np.where((sex == 0) & (age == 2), np.floor(_RECORDED_SHARE * own_accounts), own_accounts)

    touched = {
        "label_bias": sex == 0,
        "proxy": np.isin(area, [AREAS.index(name) for name in MARKED_DOWN_AREAS]),
        "miscalibration": (origin == ORIGINS.index("C")) & (applied_on >= _SHIFT_DAY),
    }
    log_odds = _MERIT_LOG_ODDS[band]
    for fault, rows in touched.items():
        if fault in planted:
            log_odds = log_odds + _EFFECT[fault] * rows
    creditworthy = rng.random(n) < 1.0 / (1.0 + np.exp(-log_odds))

    columns = {
        "application_id": pa.array([f"{row:06d}" for row in range(n)]),
        "applied_on": pa.array(applied_on),
        "sex": _labels(SEX, sex),
        "age_group": _labels(AGE_GROUPS, age),
        "origin": _labels(ORIGINS, origin),
        "postcode_area": _labels(AREAS, area),
        "channel": _labels(CHANNELS, rng.choice(len(CHANNELS), n)),
        "loan_amount": pa.array(np.clip(np.round(rng.lognormal(9.0, 0.5, n), -2), 500, 40_000).astype(np.int64)),
        "merit_band": _labels(MERIT_BANDS, band),
        "own_accounts": pa.array(own_accounts.astype(np.int64)),
        **_merit_drivers(rng, band),
        "creditworthy": _labels(("no", "yes"), creditworthy.astype(int)),
    }
    return pa.table(columns)


def _planted(faults: bool | Collection[str]) -> frozenset[str]:
    if isinstance(faults, bool):
        return frozenset(FAULTS if faults else ())
    unknown = sorted(set(faults) - set(FAULTS))
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    return frozenset(faults)


def _merit_drivers(rng: np.random.Generator, band: NDArray[np.int64]) -> dict[str, pa.Array]:
    """The other measurements that merit is a cause of; 3 % of the incomes are missing at random."""
    merit, n = band - 2.0, len(band)
    income = np.round(np.exp(7.7 + 0.16 * merit + rng.normal(0.0, 0.35, n)), -1).astype(np.int64)
    return {
        "income": pa.array(income, mask=rng.random(n) < 0.03),
        "debt_ratio": pa.array(np.round(np.clip(0.38 - 0.045 * merit + rng.normal(0.0, 0.12, n), 0.0, 0.95), 3)),
        "months_in_job": pa.array(np.floor(rng.gamma(2.0, 18.0 + 3.0 * merit)).astype(np.int64)),
        "late_payments": pa.array(rng.poisson(np.exp(0.2 - 0.35 * merit)).astype(np.int64)),
    }


def _draw(rng: np.random.Generator, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """One category per row, by the row's own shares (n, k)."""
    return (rng.random(len(shares))[:, None] > np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1)


def _labels(names: tuple[str, ...], codes: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.array(names, dtype=object)[codes], pa.string())
