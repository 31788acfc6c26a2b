"""Alarms of a window: chance is told from change, and what is behind an alarm is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from scipy.stats import binom, norm

from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.batches.settings import MODEL_DECISION
from rai_assets.monitoring.windows.alarm import Alarm
from rai_assets.monitoring.windows.alarms import alarms
from rai_assets.monitoring.windows.chance import chance_of
from rai_assets.monitoring.windows.window import Refused, Seen, Window
from rai_assets.provenance import Provenance
from rai_assets.store.results import Result

PRODUCTION = Provenance("loans", "production", "c")
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def seen(key: str, rows: list[dict[str, Any]], asset: str = "drift") -> Seen:
    record = BatchRecord(key, 1, 1, 100, (), (), f"{key}T00:00:00+00:00", None, None)
    return Seen(record, {asset: Result(asset, Provenance("loans", "production", "c"), facts={"rows": rows})})


def row(column: str, p_value: float | None = None, effect: float = 0.1) -> dict[str, Any]:
    """A column of a batch; with a p-value it raised an alarm."""
    return {"column": column, "method": "ks", "statistic": effect, "effect": effect, "drifted": p_value is not None,
            "family_p_value": p_value, "rank": 1, "drivers": ""}  # fmt: skip


def found(*batches: Seen, **more: Any) -> list[Alarm]:
    return alarms(Window(START, END, batches, **more), {"income": 0.9, "age": 0.1}, 0.05)


def test_one_clear_alarm_stands_and_one_of_twelve_at_the_level_does_not() -> None:
    calm = [seen(f"2026-01-{day:02d}", [row("income")]) for day in range(1, 12)]
    (doubtful,) = found(*calm, seen("2026-01-12", [row("income", 0.04)]))
    assert not doubtful.stands
    assert doubtful.batches == ("2026-01-12",)
    (clear,) = found(*calm, seen("2026-01-12", [row("income", 1e-6)]))
    assert clear.stands
    assert clear.chance == pytest.approx(2 * 12 * 1e-6)


def test_batches_that_were_compared_with_few_blocks_are_judged_by_the_fewest() -> None:
    """Alarms of one reference come together, so that more of them are chance."""

    def by(blocks: int, day: int, p_value: float | None) -> Seen:
        null = f"{blocks} blocks of the reference"
        alone, whole = row("income", p_value) | {"null": null}, several("") | {"null": null}
        check = {"columns_together_unchanged": "told apart"} if p_value else {}
        return checked(f"2026-01-{day:02d}", "drift", check, [alone, whole])

    batches = [by(40, 1, None), *(by(26, day, None) for day in range(2, 10)), by(26, 10, 0.04), by(26, 11, 0.04)]
    told = {item.kind: item.chance for item in found(*batches)}
    assert told["column"] == chance_of(2, 11, 0.05, [0.04, 0.04], blocks=26) != chance_of(2, 11, 0.05, [0.04, 0.04])
    assert told["together"] == chance_of(2, 11, 0.05, [0.002], blocks=26)


def test_columns_are_ranked_by_effect_times_importance_and_standing_alarms_come_first() -> None:
    rows = [row("age", 1e-9, effect=0.5), row("income", 1e-9, effect=0.1), row("town", 1e-9, effect=0.9)]
    several = found(seen("2026-01-01", rows))
    assert [item.subject for item in several] == ["income", "age", "town"]
    assert "weight in the model is 0.900" in several[0].found


def test_a_gap_that_grew_names_the_columns_that_changed_with_it() -> None:
    gap = {"sensitive": "sex", "definition": "selection_rate_difference@1", "baseline": 0.02, "current": 0.2,
           "change": 0.18, "verdict": "grew"}  # fmt: skip
    provenance = Provenance("loans", "production", "c")
    batch = Seen(
        seen("2026-01-01", []).record,
        {
            "drift": Result("drift", provenance, facts={"rows": [row("income", 1e-9)]}),
            "fairness_drift": Result("fairness_drift", provenance, facts={"rows": [gap]}),
        },
    )
    gaps = [item for item in found(batch) if item.kind == "gap"]
    assert gaps[0].title == "Groups of sex are farther apart: selection rate difference"
    assert gaps[0].causes == ("income changed in this batch",)
    assert "0.200" in gaps[0].found and "0.0200 in the audit" in gaps[0].found


def test_what_was_refused_what_never_came_and_what_has_no_answer_is_told() -> None:
    refused = Refused("2026-01-02", START, "column 'age' is missing\nand more")
    batches = (seen("2026-01-01", [row("income")]), seen("2026-01-04", [], "fairness_drift"))
    told = {item.kind: item for item in found(*batches, quarantined=(refused,), missing=("2026-01-03",))}
    assert told["quarantine"].found == "column 'age' is missing (1 more line: rai batches)"
    assert told["missing"].batches == ("2026-01-03",)
    assert {item.subject for item in found(*batches) if item.kind == "unanswered"} == {"drift", "fairness_drift"}
    assert all(item.stands for item in told.values())


def checked(
    key: str, asset: str, failed: dict[str, str], rows: list[dict[str, Any]] | None = None, held: str = "fine"
) -> Seen:
    """A batch whose asset has these checks that do not hold, and one that does."""
    checks = {held: {"passed": True, "sentence": "all is well"}}
    checks |= {name: {"passed": False, "sentence": said} for name, said in failed.items()}
    facts = {"rows": rows or [], "checks": checks}
    return Seen(seen(key, []).record, {asset: Result(asset, Provenance("loans", "production", "c"), facts=facts)})


def several(column: str) -> dict[str, Any]:
    """The row of all columns together: it has no rank among the columns."""
    return {**row(column, 0.001), "rank": None, "p_value": 0.001, "family_p_value": 0.002}


def test_columns_together_are_two_tests_of_a_batch() -> None:
    """The p-value that counts is adjusted for both: reconstruction and classifier are asked of each batch."""
    calm = [checked(f"2026-01-{day:02d}", "drift", {}, [row("income")]) for day in range(1, 10)]
    check = {"columns_together_unchanged": "a model tells them apart"}
    hit = checked("2026-01-10", "drift", check, [several(""), row("income", 0.2)])
    alarm = next(item for item in found(*calm, hit) if item.kind == "together")
    assert alarm.chance == pytest.approx(2 * 10 * 0.002)
    assert alarm.batches == ("2026-01-10",)
    assert alarm.found == "In 2026-01-10: a model tells them apart."
    assert alarm.causes == ("income changed in this batch",)
    assert not [item for item in found(*calm) if item.kind == "together"]


@pytest.mark.parametrize(
    ("asset", "kind", "check"),
    [
        ("realized_performance", "performance", "not_below_audit"),
        ("realized_performance", "performance", "estimates_held"),
        ("estimated_performance", "performance", "performance_not_lower"),
        ("attribution_drift", "reasons", "same_reasons"),
    ],
)
def test_failed_checks_are_counted_among_the_batches_that_were_asked(asset: str, kind: str, check: str) -> None:
    calm = [checked(f"2026-01-{day:02d}", asset, {}, held=check) for day in range(1, 5)]
    bad = [checked(f"2026-01-{day:02d}", asset, {check: f"said on day {day}"}) for day in (5, 6)]
    (alarm,) = found(*calm, *bad)
    assert (alarm.kind, alarm.subject, alarm.batches) == (kind, asset, ("2026-01-05", "2026-01-06"))
    assert alarm.found == "In 2026-01-06: said on day 6.", "what the last one said"
    assert alarm.chance == pytest.approx(binom.sf(1, 6, 0.05))
    assert alarm.stands
    assert found(*calm) == []
    (doubtful,) = found(*calm, bad[0])
    assert doubtful.chance == pytest.approx(1 - 0.95**5)
    assert not doubtful.stands


def test_an_alarm_of_exactly_the_level_stands() -> None:
    (alarm,) = found(checked("2026-01-01", "attribution_drift", {"same_reasons": "others"}))
    assert alarm.chance == 0.05
    assert alarm.stands


def test_the_causes_are_the_three_columns_of_the_best_ranks() -> None:
    first = [{**row(name, 1e-9), "rank": rank} for rank, name in enumerate(["a", "b", "c", "d"], 1)]
    second = [{**row(name, 1e-9), "rank": rank} for rank, name in enumerate([MODEL_DECISION, "b", "d"], 1)]
    check = {"columns_together_unchanged": "apart"}
    batches = [checked("2026-01-01", "drift", check, first), checked("2026-01-02", "drift", check, second)]
    alarm = next(item for item in found(*batches) if item.kind == "together")
    # 1 for a, 1/2 + 1/2 for b, 1/4 + 1/3 for d, 1/3 for c; the answers of the model are no cause of themselves.
    assert alarm.causes == (
        "a changed in 1 of these 2 batches",
        "b changed in 2 of these 2 batches",
        "d changed in 2 of these 2 batches",
    )


def test_what_happened_once_among_several_is_asked_of_one_file() -> None:
    one, other = seen("2026-01-01", [row("income", 1e-9)]), seen("2026-01-02", [row("income")])
    assert "in this one file" in found(one, other)[0].advice
    assert "audit the model on recent rows" in found(one)[0].advice
    both = seen("2026-01-02", [row("income", 1e-9, effect=0.3)])
    (alarm,) = found(one, both)
    assert "audit the model on recent rows" in alarm.advice
    assert alarm.found.startswith("Most in 2026-01-02: ks 0.300, effect 0.300.")


def test_more_than_six_names_are_counted() -> None:
    keys = tuple(f"d{number}" for number in range(8))
    (six,), (eight,) = (found(missing=keys[:last]) for last in (6, 8))
    assert six.found == "Nothing arrived for d0, d1, d2, d3, d4, d5."
    assert eight.found == "Nothing arrived for d0, d1, d2, d3, d4, d5 and 2 more."
    assert eight.title == "8 batches never arrived"


def judged(key: str, *verdicts: str) -> Seen:
    """A batch with a verdict on R1, R2, ..."""
    said = {"sentence": f"The accuracy of {key} is what it is.", "level": 0.95}
    items = [{"id": f"R{number}", "verdict": verdict, **said} for number, verdict in enumerate(verdicts, 1)]
    facts = {"rows": [], "verdicts": items}
    return Seen(seen(key, []).record, {"realized_performance": Result("realized_performance", PRODUCTION, facts=facts)})


def test_a_requirement_that_labels_break_is_an_alarm_unless_chance_breaks_as_many() -> None:
    (alarm,) = found(judged("2026-01-01", "pass", "fail"), judged("2026-01-02", "pass", "cannot tell"))
    assert (alarm.kind, alarm.subject, alarm.batches) == ("requirement", "R2", ("2026-01-01",))
    assert alarm.found == "In 2026-01-01: The accuracy of 2026-01-01 is what it is."
    # At the limit itself a 95 % interval lies beyond it in 2.5 % of batches; what was not measured is not among them.
    assert alarm.chance == pytest.approx(0.025)
    days = [judged(f"2026-01-{day:02d}", "fail" if day == 1 else "pass") for day in range(1, 21)]
    (doubtful,) = found(*days)
    assert doubtful.chance == pytest.approx(binom.sf(0, 20, 0.025))
    assert not doubtful.stands


def test_small_batches_that_cannot_tell_were_asked_too() -> None:
    """14 of 800 fail by chance at 2.5 %; the others have an interval on both sides of the limit."""
    days = [judged(f"d{day:03d}", "fail" if day < 14 else "cannot tell") for day in range(800)]
    for day in days:
        (item,) = day.verdicts
        failed = item["verdict"] == "fail"
        item |= {"limit": 0.12, "value": 0.34 if failed else 0.1, "low": 0.14 if failed else 0.0, "high": 0.5}
    (doubtful,) = found(*days)
    assert doubtful.batches == tuple(f"d{day:03d}" for day in range(14))
    assert doubtful.chance == 1.0
    assert not doubtful.stands


def test_a_clear_failure_stands_however_many_batches_hold() -> None:
    """One of twenty: at the limit a chance of 40 %, ten deviations beyond it none."""
    days = [judged(f"2026-01-{day:02d}", "fail" if day == 1 else "pass") for day in range(1, 21)]
    (item,) = days[0].verdicts
    item |= {"limit": 0.7, "value": 0.6, "low": 0.58, "high": 0.62}  # 95 %: a deviation is 0.02 / 1.96
    (clear,) = found(*days)
    assert clear.chance == pytest.approx(2 * 20 * norm.sf(0.1 / 0.02 * norm.ppf(0.975)), rel=1e-6)
    assert clear.stands


def test_alarms_that_chance_explains_come_last() -> None:
    calm = [seen(f"2026-01-{day:02d}", [row("age")]) for day in range(1, 12)]
    rows = [row("income", 0.04, effect=0.9), row("age", 1e-9, effect=0.1)]
    several = found(*calm, seen("2026-01-12", rows))
    assert [(item.subject, item.stands) for item in several] == [("age", True), ("income", False)]


def test_a_column_without_a_weight_comes_after_those_with_one() -> None:
    """Its batches with an effect tell which of them was the worst, whatever the others lack."""
    rows = [row("town", 1e-9, effect=900.0), {**row("age", 1e-9), "effect": None}, row("income", 1e-9, effect=0.01)]
    several = found(seen("2026-01-01", rows), seen("2026-01-02", [row("age", 1e-9, effect=0.05)]))
    assert [item.subject for item in several if item.kind == "column"] == ["income", "age", "town"]
    assert next(item for item in several if item.subject == "age").found.startswith("Most in 2026-01-02")
    assert "weight" not in next(item for item in several if item.subject == "town").found


def test_what_the_model_answers_changed_because_of_columns_of_the_same_batches() -> None:
    first = seen("2026-01-01", [{**row("town", 1e-9), "rank": 2}])
    second = seen("2026-01-02", [row(MODEL_DECISION, 1e-9), {**row("age", 1e-9), "rank": 2}])
    told = {item.subject: item for item in found(first, second)}
    assert told[MODEL_DECISION].causes == ("age changed in this batch",)
    assert "see the columns above" in told[MODEL_DECISION].advice
    assert told["age"].causes == ()


def test_the_widest_of_several_gaps_is_told_and_all_its_batches() -> None:
    def batch(key: str, current: float, verdict: str = "grew") -> Seen:
        gap = {"sensitive": "sex", "definition": "selection_rate_difference@1", "baseline": 0.02, "current": current,
               "change": current - 0.02, "verdict": verdict}  # fmt: skip
        return seen(key, [gap], "fairness_drift")

    (gap,) = found(batch("d1", 0.2), batch("d2", 0.4), batch("d3", 0.3), batch("d4", 0.9, "held"))
    assert gap.found.startswith("In d2 0.400")
    assert gap.batches == ("d1", "d2", "d3")
    assert gap.chance == pytest.approx(binom.sf(2, 4, 0.05))


def test_a_reason_of_one_line_is_told_whole() -> None:
    one, none = Refused("d1", START, "torn"), Refused("d2", START, " \n")
    assert [item.found for item in found(quarantined=(one, none))] == ["torn", "It breaks its contract."]


def test_an_alarm_of_six_in_a_hundred_is_explained_by_chance() -> None:
    assert not Alarm("column", "x", "", (), "", (), "", 0.051).stands
    assert Alarm("column", "x", "", (), "", (), "", None).stands


def test_many_batches_in_quarantine_have_one_alarm_together() -> None:
    refused = [Refused(f"b{day}", datetime(2026, 1, day, tzinfo=UTC), f"torn {day}\nmore") for day in range(1, 8)]
    assert [item.batches for item in found(quarantined=tuple(refused[:6]))] == [(f"b{day}",) for day in range(1, 7)]
    (alarm,) = found(quarantined=tuple(refused))
    assert (alarm.kind, alarm.title) == ("quarantine", "7 batches are in quarantine")
    assert alarm.batches == tuple(f"b{day}" for day in range(1, 8))
    assert alarm.found == "In b7: torn 7 (1 more line: rai batches)"
