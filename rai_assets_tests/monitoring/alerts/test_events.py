"""Who is told of which event, and how an event is named."""

from __future__ import annotations

import pytest

from rai_assets.keys import check_name
from rai_assets.metrics.number import Number
from rai_assets.monitoring.alerts.events import judged, limit_of, notices
from rai_assets_tests.monitoring.alerts.conftest import event, settings


def test_an_event_goes_to_the_channels_of_every_rule_that_speaks_of_it() -> None:
    rules = settings(
        {"when": "check_failed", "to": ["ops"]},
        {"when": "check_failed", "asset": "scorecard", "to": ["team"], "urgent": True},
        {"when": "check_failed", "asset": "dataset", "to": ["ops"], "urgent": True},
        {"when": "drift", "to": ["ops"]},
    )
    assert notices(rules, [event()]) == [(event(), {"ops": False, "team": True})]


def test_an_event_that_no_rule_speaks_of_is_told_to_nobody() -> None:
    assert notices(settings({"when": "drift", "to": ["ops"]}), [event()]) == []


def test_a_rule_for_errors_leaves_out_what_only_warns() -> None:
    rules = settings({"when": "check_failed", "severity": "error", "to": ["ops"]})
    assert notices(rules, [event(severity="warning")]) == []
    assert len(notices(rules, [event()])) == 1


@pytest.mark.parametrize(
    ("check", "told"), [("gate", "gate"), ("R1", check_name("R1")), ("columns_unchanged", "columns_unchanged")]
)
def test_a_rule_may_be_about_one_check(check: str, told: str) -> None:
    rules = settings({"when": "check_failed", "check": check, "to": ["ops"]})
    assert notices(rules, [event(subject=told)]) == [(event(subject=told), {"ops": False})]
    assert notices(rules, [event(subject="ranges")]) == []


def test_the_failure_of_a_run_is_not_told_to_whom_is_told_the_error_behind_it() -> None:
    rules = settings({"when": "check_failed", "to": ["ops"]}, {"when": "run_failed", "to": ["ops", "team"]})
    ended = event(kind="run_failed", asset="", subject="")
    assert notices(rules, [ended, event()]) == [(event(), {"ops": False}), (ended, {"team": False})]
    other = event(kind="run_failed", asset="", subject="", run="run-2")
    assert notices(rules, [event(), other])[1] == (other, {"ops": False, "team": False})
    assert notices(rules, [event(severity="warning"), ended])[1] == (ended, {"ops": False, "team": False})


def test_a_channel_of_several_rules_is_urgent_if_one_of_them_is_whichever_comes_first() -> None:
    calm, urgent = {"when": "drift", "to": ["ops"]}, {"when": "drift", "to": ["ops", "team"], "urgent": True}
    drifted = event(kind="drift", severity="warning")
    for rules in (settings(calm, urgent), settings(urgent, calm)):
        assert notices(rules, [drifted]) == [(drifted, {"ops": True, "team": True})]


def test_the_same_event_has_the_same_id_and_another_run_another() -> None:
    assert event().id == event(title="Other words").id
    assert event().id != event(run="run-2").id
    assert event().thing == event(run="run-2").thing
    assert event().id != event(at=event().at + 60).id
    others = ({"use_case": "x"}, {"kind": "drift"}, {"asset": "x"}, {"subject": "x"}, {"partition": "x"})
    assert len({event().thing, *(event(**other).thing for other in others)}) == 6


def test_the_body_names_the_event_and_cuts_long_words() -> None:
    body = event(text="x" * 5000, title="y" * 5000, at=event().at + 0.25, content="of a digest").body()
    assert body["id"] == event(at=event().at + 0.25).id
    assert body.keys() == {
        "id", "type", "use_case", "asset", "subject", "partition", "run", "at", "severity", "title", "text", "link",
    }  # fmt: skip
    assert body["type"] == "rai.check_failed"
    assert body["at"] == "2026-01-01T12:00:00+00:00"
    assert (len(body["text"]), len(body["title"])) == (2000, 200)


RULE = {
    "when": "metric_crossed",
    "asset": "fairness_audit",
    "definition": "demographic_parity_difference",
    "to": ["ops"],
}


@pytest.mark.parametrize(("low", "beyond"), [(0.12, True), (0.08, False)])
def test_a_limit_is_crossed_when_the_whole_interval_is_beyond_it(low: float, beyond: bool) -> None:
    place = {**RULE, "sensitive": ["sex"]}
    rules = settings({**place, "at_most": 0.1}, {**place, "at_most": 0.3, "to": ["team"]})
    number = Number("demographic_parity_difference@1", 0.2, low=low, high=0.25, n=100, coordinates={"sensitive": "sex"})
    found, sentence, subject = judged(rules.rules[0], [number])
    assert found is beyond
    assert "0.2" in sentence
    crossed = event(kind="metric_crossed", asset="fairness_audit", subject=subject)
    # The event is that rule's alone: a further limit on the same number is another event.
    assert [receivers for _, receivers in notices(rules, [crossed])] == [{"ops": False}]
    assert subject == "demographic_parity_difference[sensitive=sex] at most 0.1"
    assert judged(rules.rules[1], [number])[0] is False


def test_a_number_that_was_not_measured_crosses_nothing() -> None:
    rules = settings({**RULE, "sensitive": ["sex"], "at_most": 0.1})
    assert judged(rules.rules[0], [])[0] is False


def test_a_limit_is_named_by_all_that_tells_it_from_others() -> None:
    """The group and the class, and a limit of zero."""
    place = {"group": {"sex": "F"}, "coordinates": {"class": "high"}}
    (rule,) = settings({**RULE, "definition": "selection_rate", **place, "at_most": 0}).rules
    assert limit_of(rule) == "selection_rate[sex=F, class=high] at most 0"
    (rule,) = settings({**RULE, "sensitive": ["sex", "age"], "at_most": 0.1}).rules
    assert limit_of(rule) == "demographic_parity_difference[sensitive=sex,age] at most 0.1"
    (rule,) = settings({**RULE, "definition": "accuracy", "at_least": 0.25}).rules
    assert limit_of(rule) == "accuracy[] at least 0.25"
