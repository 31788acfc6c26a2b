"""Verdicts: pass, fail or cannot tell, in a sentence for a reader without the tables."""

from __future__ import annotations

import pytest

from rai_assets.errors import UsageError
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement, describe, judge


def gap(value: float | None, low: float | None = None, high: float | None = None, **fields: object) -> Number:
    fields = {"coordinates": {"sensitive": "sex"}, "level": 0.95, "n": 500, "unit": "rate", **fields}
    return Number("selection_rate_difference@1", value, low, high, **fields)  # type: ignore[arg-type]


LIMIT = Requirement("parity", "selection_rate_difference", sensitive=["sex"], at_most=0.10)


@pytest.mark.parametrize(
    ("number", "verdict", "sentence"),
    [
        (
            gap(0.12, 0.11, 0.14),
            "fail",
            "The largest gap in selection rate between groups of sex is 0.12 (95 % interval 0.11 to 0.14), "
            "above the limit 0.10: fails.",
        ),
        (
            gap(0.05, 0.02, 0.08),
            "pass",
            "The largest gap in selection rate between groups of sex is 0.05 (95 % interval 0.02 to 0.08), "
            "not above the limit 0.10: passes.",
        ),
        (
            gap(0.08, 0.05, 0.11),
            "cannot tell",
            "The largest gap in selection rate between groups of sex is 0.08 (95 % interval 0.05 to 0.11), "
            "and the interval reaches above the limit 0.10: cannot tell.",
        ),
        (
            gap(None, reason="fewer than two groups can be compared"),
            "cannot tell",
            "The largest gap in selection rate between groups of sex cannot be given "
            "(fewer than two groups can be compared): cannot tell.",
        ),
        (
            gap(0.05),
            "pass",
            "The largest gap in selection rate between groups of sex is 0.05 "
            "(judged by the value alone, without an interval), not above the limit 0.10: passes.",
        ),
    ],
)
def test_an_upper_limit_is_judged_by_the_interval(number: Number, verdict: str, sentence: str) -> None:
    judged = judge(LIMIT, [number])
    assert (judged.verdict, judged.sentence) == (verdict, sentence)
    assert judged.number is number


def test_the_bounds_themselves_keep_the_limit() -> None:
    assert judge(LIMIT, [gap(0.08, 0.05, 0.10)]).verdict == "pass"
    assert judge(LIMIT, [gap(0.12, 0.10, 0.14)]).verdict == "cannot tell"


def test_a_lower_limit_is_judged_the_other_way_round() -> None:
    requirement = Requirement("four fifths", "four_fifths", sensitive=["sex"], at_least=0.8)

    def verdict(low: float, high: float) -> str:
        number = Number("four_fifths@1", (low + high) / 2, low, high, 0.95, coordinates={"sensitive": "sex"})
        return judge(requirement, [number]).verdict

    assert verdict(0.80, 0.9) == "pass"
    assert verdict(0.7, 0.79) == "fail"
    assert verdict(0.7, 0.80) == "cannot tell"


def test_a_missing_bound_is_without_end() -> None:
    assert judge(LIMIT, [gap(0.05, 0.01, None)]).verdict == "cannot tell"
    failed = judge(LIMIT, [gap(0.25, 0.15, None)])
    assert failed.verdict == "fail"
    assert "0.15 to no upper bound" in failed.sentence
    at_least = Requirement("gap", "selection_rate_difference", sensitive=["sex"], at_least=0.10)
    assert judge(at_least, [gap(0.25, None, 0.3)]).verdict == "cannot tell"
    assert judge(at_least, [gap(0.05, None, 0.08)]).verdict == "fail"


def test_a_requirement_stops_a_merge_unless_it_says_otherwise() -> None:
    assert LIMIT.blocking


@pytest.mark.parametrize("limit", [0.05, 0.95])
def test_of_equal_outcomes_the_one_nearest_to_or_farthest_beyond_the_limit_decides(limit: float) -> None:
    numbers = [rate(0.5, {"sex": sex}) for sex in "FM"] + [rate(0.4, {"sex": "X"}), rate(0.6, {"sex": "Y"})]
    at_least = Requirement("recall", "true_positive_rate", sensitive=["sex"], at_least=limit)
    assert judge(at_least, numbers).number is numbers[2]
    at_most = Requirement("recall", "true_positive_rate", sensitive=["sex"], at_most=limit)
    assert judge(at_most, numbers).number is numbers[3]


def test_what_was_not_measured_cannot_be_told() -> None:
    judged = judge(LIMIT, [gap(0.05, coordinates={"sensitive": "race"})])
    assert judged.verdict == "cannot tell"
    assert judged.number is None
    assert judged.sentence == "No selection rate difference was measured here: cannot tell."


def test_decimals_tell_the_value_from_the_limit() -> None:
    sentence = judge(LIMIT, [gap(0.1004, 0.1002, 0.12)]).sentence
    assert "is 0.1004 (95 % interval 0.1002 to 0.1200), above the limit 0.1000" in sentence


def test_counts_are_told_whole() -> None:
    requirement = Requirement("rows", "count", at_least=1000)
    sentence = judge(requirement, [Number("count@1", 12345.0, n=12345, unit="count")]).sentence
    assert (
        sentence
        == "The count is 12,345 (judged by the value alone, without an interval), not below the limit 1,000: passes."
    )


def rate(value: float, group: dict[str, str], **fields: object) -> Number:
    return Number("true_positive_rate@1", value, value - 0.05, value + 0.05, 0.95, n=200, group=group, **fields)  # type: ignore[arg-type]


def test_every_group_must_hold_and_the_worst_decides() -> None:
    requirement = Requirement("recall", "true_positive_rate@1", sensitive=["sex"], at_least=0.6)
    numbers = [rate(0.9, {}), rate(0.7, {"sex": "F"}), rate(0.5, {"sex": "M"}), rate(0.1, {"race": "x"})]
    judged = judge(requirement, numbers)
    assert judged.verdict == "fail"
    assert judged.number is numbers[2]
    assert judged.sentence.endswith("Of 2 numbers that must hold, this is the furthest from it.")
    assert judge(requirement, numbers[:2]).verdict == "pass"


def test_without_groups_a_requirement_speaks_of_all_rows() -> None:
    requirement = Requirement("recall", "true_positive_rate", at_least=0.6)
    numbers = [rate(0.9, {}), rate(0.5, {"sex": "M"})]
    assert judge(requirement, numbers).number is numbers[0]


def test_one_group_can_be_named() -> None:
    requirement = Requirement("recall", "true_positive_rate", group={"sex": "M"}, at_least=0.6)
    numbers = [rate(0.9, {}), rate(0.5, {"sex": "M"}), rate(0.9, {"sex": "F"})]
    assert judge(requirement, numbers).number is numbers[1]
    assert judge(requirement, numbers).sentence.startswith("The true positive rate for sex=M is 0.50")


def test_columns_match_in_any_order_and_other_coordinates_exactly() -> None:
    requirement = Requirement(
        "joint", "selection_rate_difference", sensitive=["sex", "race"], coordinates={"class": "car"}, at_most=0.1
    )
    hit = gap(0.05, coordinates={"sensitive": "race,sex", "class": "car"})
    others = [
        gap(0.5, coordinates={"sensitive": "race,sex"}),
        gap(0.5, coordinates={"sensitive": "sex", "class": "car"}),
    ]
    assert judge(requirement, [*others, hit]).number is hit
    assert judge(requirement, [*others, gap(0.05, coordinates=hit.coordinates, cohort="young")]).number is None


def test_few_rows_are_said() -> None:
    assert judge(LIMIT, [gap(0.12, 0.11, 0.14, small=True, n=12)]).sentence.endswith("It rests on few rows (n = 12).")


def test_every_kind_of_number_reads_as_the_subject_of_a_sentence() -> None:
    def words(definition: str, **fields: object) -> str:
        return describe(Number(definition, 0.5, **fields))  # type: ignore[arg-type]

    sex, both = {"sensitive": "sex"}, {"sensitive": "race,sex"}
    assert words("accuracy@1", cohort="young") == "The accuracy, cohort young"
    assert words("precision@1", coordinates={"class": "car"}) == "The precision, class car"
    assert words("precision_ratio@1", coordinates=both) == (
        "The lowest precision as a share of the highest between groups of race and sex"
    )
    assert words("equalized_odds_difference@1", coordinates=sex) == (
        "The equalized odds difference between groups of sex"
    )
    assert words("selection_rate_conditional_difference@1", coordinates={**sex, "stratifier": "department"}) == (
        "The largest gap in selection rate between groups of sex at equal department"
    )
    pair = {"group": {"sex": "F"}, "reference": {"sex": "M"}, "coordinates": sex}
    assert words("accuracy_difference_to_reference@1", **pair) == "The difference in accuracy of sex=F to sex=M"
    assert words("accuracy_ratio_to_reference@1", **pair) == "The ratio of accuracy of sex=F to sex=M"
    assert words("disparate_impact@1", reference={"sex": "M"}, coordinates=sex) == (
        "The disparate impact between groups of sex, all others against sex=M"
    )


def test_a_requirement_needs_one_finite_limit_and_a_known_metric() -> None:
    with pytest.raises(UsageError, match="either `at_most` or `at_least`"):
        Requirement("none", "accuracy")
    with pytest.raises(UsageError, match="either `at_most` or `at_least`"):
        Requirement("both", "accuracy", at_most=1, at_least=0)
    with pytest.raises(UsageError, match="not a finite number"):
        Requirement("endless", "accuracy", at_most=float("inf"))
    with pytest.raises(UsageError, match="did you mean accuracy"):
        Requirement("typo", "acuracy", at_least=0.5)
