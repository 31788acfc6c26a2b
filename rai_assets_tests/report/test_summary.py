"""The first sentence of a section says its main number as it was published."""

from __future__ import annotations

from rai_assets.metrics.number import Number
from rai_assets.report.summary import headline
from rai_assets_tests.report.sample import explanations, fairness, performance


def test_how_well_it_does() -> None:
    assert headline(performance().numbers) == (
        "Accuracy is 0.853 (0.847 to 0.858); ROC AUC is 0.906 (0.901 to 0.911), on 16,281 test rows."
    )


def test_which_gap_is_the_widest_of_the_single_columns() -> None:
    assert headline(fairness().numbers) == (
        "Demographic parity difference: widest of 3 sensitive columns between groups of age_band, "
        "0.240 (0.226 to 0.255)."
    )


def test_what_moves_the_result_and_what_it_is_associated_with() -> None:
    assert headline(explanations().numbers) == (
        "What moves the result most: marital_status, education_num, age. Among these, the strongest association with a "
        "sensitive column is that of marital_status with sex: 0.500."
    )


def test_numbers_that_fit_no_sentence_give_none() -> None:
    assert headline([]) == ""
    assert headline([Number("accuracy@1", None, reason="no target")]) == ""
