"""Rates, gaps and ratios of real rows are Fairlearn's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fl
from sklearn import metrics as sk

from rai_assets.model.inputs import AuditInputs
from rai_assets_tests.analysis.fairness.conftest import pick

RATES = {
    "selection_rate": fl.selection_rate,
    "true_positive_rate": fl.true_positive_rate,
    "false_positive_rate": fl.false_positive_rate,
    "accuracy": sk.accuracy_score,
    "precision": sk.precision_score,
    "base_rate": lambda y_true, y_pred: np.mean(y_true),
}
GROUPINGS = [("sex",), ("race",), ("age",), ("sex", "race"), ("race", "age"), ("sex", "race", "age")]


def sensitive(adult: AuditInputs) -> pd.DataFrame:
    table = adult.table.select(["sex", "race"]).to_pandas().astype(str)
    age = adult.table["age"].to_pandas()
    return table.assign(age=np.select([age < 25, age < 45], ["[-inf, 25)", "[25, 45)"], "[45, inf)"))


@pytest.fixture(scope="module")
def frame(adult: AuditInputs) -> Callable[..., fl.MetricFrame]:
    """Fairlearn's frame by some columns."""

    @cache
    def by(*columns: str) -> fl.MetricFrame:
        groups = sensitive(adult)[list(columns)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # groups without a positive
            return fl.MetricFrame(
                metrics=RATES, y_true=adult.rows.target, y_pred=adult.rows.decision, sensitive_features=groups
            )

    return by


@pytest.mark.parametrize("columns", GROUPINGS, ids=",".join)
def test_every_rate_of_every_group_is_fairlearns(found, frame, columns):
    by_group = frame(*columns).by_group
    shown = 0
    for labels, expected in by_group.dropna().iterrows():
        group = dict(zip(columns, labels if len(columns) > 1 else [labels], strict=True))
        for name in RATES:
            number = pick(found, name, group)
            if number.value is not None:
                shown += 1
                assert number.value == pytest.approx(expected[name], abs=1e-12)
                assert number.low <= number.value <= number.high
    assert shown > 0.7 * by_group.notna().size


@pytest.mark.parametrize("columns", [("sex",), ("race",), ("age",), ("sex", "race")], ids=",".join)
def test_gaps_and_ratios_are_fairlearns(whole, frame, columns):
    difference, ratio, name = frame(*columns).difference(), frame(*columns).ratio(), ",".join(columns)
    for rate in RATES:
        assert pick(whole, f"{rate}_difference", sensitive=name).value == pytest.approx(difference[rate], abs=1e-12)
        assert pick(whole, f"{rate}_ratio", sensitive=name).value == pytest.approx(ratio[rate], abs=1e-12)
    assert pick(whole, "four_fifths", sensitive=name).value == pick(whole, "selection_rate_ratio", sensitive=name).value


@pytest.mark.parametrize("columns", [("race",), ("sex", "race")], ids=",".join)
def test_named_gaps_are_fairlearns(adult, whole, columns):
    said = adult.rows.target, adult.rows.decision
    groups = {"sensitive_features": sensitive(adult)[list(columns)]}
    expected = {
        "demographic_parity_difference": fl.demographic_parity_difference(*said, **groups),
        "demographic_parity_ratio": fl.demographic_parity_ratio(*said, **groups),
        "equalized_odds_difference": fl.equalized_odds_difference(*said, **groups),
        "equalized_odds_ratio": fl.equalized_odds_ratio(*said, **groups),
        "equalized_odds_difference_mean": fl.equalized_odds_difference(*said, agg="mean", **groups),
        "equal_opportunity_difference": fl.equal_opportunity_difference(*said, **groups),
        "equal_opportunity_ratio": fl.equal_opportunity_ratio(*said, **groups),
    }
    measured = {name: pick(whole, name, sensitive=",".join(columns)).value for name in expected}
    assert measured == pytest.approx(expected, abs=1e-12)
