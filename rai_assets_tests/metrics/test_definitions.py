"""Every published number names a formula here, and a wrong name is answered with the right one."""

from __future__ import annotations

import pytest

from rai_assets.errors import UsageError
from rai_assets.metrics.definitions import DEFINITIONS, definition
from rai_assets.metrics.rates import BINARY_METRICS


def test_an_id_is_found_with_and_without_its_version() -> None:
    assert definition("false_positive_rate@1") is definition("false_positive_rate")
    assert definition("false_positive_rate").formula == "fp / (fp + tn)"


def test_a_misspelt_id_names_its_neighbours() -> None:
    with pytest.raises(UsageError, match="did you mean selection_rate"):
        definition("selektion_rate")
    with pytest.raises(UsageError, match="no version '7'"):
        definition("accuracy@7")


def test_every_metric_has_its_gaps_and_says_what_they_compare() -> None:
    for metric in BINARY_METRICS:
        for suffix in ("difference", "ratio", "difference_to_reference", "ratio_to_reference"):
            assert definition(f"{metric}_{suffix}").of == metric
    assert definition("selection_rate_conditional_difference").unit == "rate"
    assert "f1_conditional_difference@1" not in DEFINITIONS


def test_the_ids_of_the_field_are_there() -> None:
    ids = {
        "count", "true_positives", "weight_sum", "missing_count", "base_rate", "matthews_correlation", "roc_auc",
        "expected_calibration_error", "macro_f1", "micro_precision", "weighted_true_positive_rate",
        "root_mean_squared_error", "mean_error", "demographic_parity_difference", "demographic_parity_ratio",
        "equalized_odds_difference", "equalized_odds_ratio", "equalized_odds_difference_mean",
        "equal_opportunity_difference", "equal_opportunity_ratio", "average_odds_difference",
        "average_absolute_odds_difference", "equalized_odds_sum", "statistical_parity_difference", "disparate_impact",
        "four_fifths", "mean_absolute_shap_value", "permutation_importance", "additivity_residual",
        "sensitive_association",
    }  # fmt: skip
    assert {f"{name}@1" for name in ids} <= set(DEFINITIONS)


def test_every_definition_can_be_read_by_itself() -> None:
    for item in DEFINITIONS.values():
        assert item.formula
        assert "\n" not in item.formula
        assert item.name and "_" not in item.name
        assert item.unit in ("rate", "count", "target", "")
