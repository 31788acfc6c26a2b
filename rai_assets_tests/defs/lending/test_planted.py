"""Planted -> found, decided from published numbers alone."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from rai_assets.defs.lending import generator, planted
from rai_assets.metrics.number import Number

MERIT = {"sensitive": "sex", "stratifier": "merit_band"}
Z95 = 1.959963984540054


def number(definition, value, half, *, group=None, coordinates=None, split="test", level=0.95, **more) -> dict:
    made = Number(
        f"{definition}@1", value, value - half, value + half, level, 1000,
        group=group or {}, coordinates=coordinates or {}, split=split, **more,
    )  # fmt: skip
    return made.addressed("lending", "abc123", "fairness_audit").as_json()


def faulty() -> list[dict]:
    """Numbers that show all four faults, clearly."""
    area, channel = {"feature": "postcode_area"}, {"feature": "channel"}
    origin = {"sensitive": "origin"}
    return [
        number("base_rate_conditional_difference", 0.14, 0.03, coordinates=MERIT),
        number("sensitive_association", 0.5, 0.02, coordinates={**area, **origin}),
        number("sensitive_association", 0.02, 0.01, coordinates={**channel, **origin}),
        number("mean_absolute_shap_value", 0.4, 0.02, coordinates=area),
        number("mean_absolute_shap_value", 0.02, 0.01, coordinates=channel),
        number("selection_rate_conditional_difference", 0.16, 0.03, coordinates={**origin, "stratifier": "merit_band"}),
        number("selection_rate", 0.22, 0.03, group={"sex": "F", "age_group": "60+"}),
        number("selection_rate", 0.40, 0.02, group={"sex": "F"}),
        number("selection_rate", 0.36, 0.03, group={"age_group": "60+"}),
        number("mean_score", 0.60, 0.02, group={"origin": "C"}),
        number("base_rate", 0.42, 0.03, group={"origin": "C"}),
    ]


def test_every_planted_fault_is_found_with_the_addresses_of_its_numbers():
    rows = planted.findings(faulty())
    assert [row.name for row in rows] == list(generator.FAULTS)
    assert all(row.found for row in rows)
    addresses = {number["address"] for number in faulty()}
    shown = {word for row in rows for word in row.evidence.replace(";", "").split(" ") if word.startswith("lending@")}
    assert shown == addresses
    assert "lending@abc123:fairness_audit#base_rate_conditional_difference@1[" in rows[0].evidence
    assert "0.140 (0.110 to 0.170)" in rows[0].evidence


def test_without_numbers_nothing_is_claimed_and_what_is_missing_is_named():
    rows = planted.findings([])
    assert not any(row.found for row in rows)
    assert all(row.p_value == 1.0 for row in rows)
    assert "not published with an interval: mean_score[origin=C] > base_rate[origin=C]" in rows[3].evidence


@pytest.mark.parametrize("left_out", range(11))
def test_a_claim_needs_every_one_of_its_numbers(left_out):
    numbers = faulty()
    del numbers[left_out]
    lost = [row.name for row in planted.findings(numbers) if not row.found]
    assert len(lost) == 1


def test_numbers_of_another_split_or_cohort_or_against_a_reference_group_are_not_taken():
    for other in ({"split": "train"}, {"cohort": "late"}):
        assert not any(row.found for row in planted.findings([{**item, **other} for item in faulty()]))
    numbers = [{**item, "reference": {"sex": "M"}} for item in faulty()]
    assert not any(row.found for row in planted.findings(numbers))


def test_a_difference_in_the_other_direction_is_not_the_planted_fault():
    numbers = faulty()
    numbers[9]["value"], numbers[10]["value"] = 0.42, 0.60
    assert [row.found for row in planted.findings(numbers)] == [True, True, True, False]


def test_the_p_value_is_that_of_the_level_at_which_the_interval_touches_zero():
    """The other claims have no number, so their p-values are 1 and Holm multiplies the smallest by 4."""
    for value, half, level in ((0.10, 0.03, 0.95), (0.10, 0.05, 0.99), (0.02, 0.03, 0.9)):
        rows = planted.findings(
            [number("base_rate_conditional_difference", value, half, coordinates=MERIT, level=level)]
        )
        z = value / half * norm.ppf(0.5 + level / 2)
        assert rows[0].p_value == pytest.approx(min(1.0, 4 * 2 * norm.sf(z)), rel=1e-9)


def test_two_numbers_are_compared_over_the_ends_that_face_each_other():
    """The score's interval is narrow below and wide above, the base rate's the other way round."""
    score = {**number("mean_score", 0.50, 0.0, group={"origin": "C"}), "low": 0.49, "high": 0.80}
    rate = {**number("base_rate", 0.46, 0.0, group={"origin": "C"}), "low": 0.10, "high": 0.48}
    z = 0.04 / math.hypot(0.01, 0.02) * Z95
    assert planted.findings([score, rate])[3].p_value == pytest.approx(min(1.0, 8 * norm.sf(z)), rel=1e-9)


def test_holm_lets_the_second_claim_pass_at_a_third_of_the_level():
    """p = 0.001 for label bias; miscalibration at p = 0.016 passes at 0.05 / 3, at 0.018 not."""
    first = number("base_rate_conditional_difference", 0.1, 0.1 / norm.isf(0.0005) * Z95, coordinates=MERIT)
    for p_value, found in ((0.016, True), (0.018, False)):
        half = 0.1 / norm.isf(p_value / 2) * Z95 / math.sqrt(2)
        pair = [
            number("mean_score", 0.5, half, group={"origin": "C"}),
            number("base_rate", 0.4, half, group={"origin": "C"}),
        ]
        rows = planted.findings([first, *pair])
        assert (rows[0].found, rows[3].found) == (True, found)
        assert rows[3].p_value == pytest.approx(3 * p_value)
