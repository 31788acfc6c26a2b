"""The outcome of an audit, its sentence, and its JSON."""

from __future__ import annotations

import json

import pytest

from rai_assets.metrics.requirements import Requirement, Verdict
from rai_assets.report.audit import Judged
from rai_assets.report.view import outcome_sentence
from rai_assets_tests.report.sample import sample_audit


def judged(*verdicts: str, blocking: bool = True) -> tuple[Judged, ...]:
    requirement = Requirement(id="R", definition="accuracy", at_least=0.5, blocking=blocking)
    return tuple(Judged(requirement, Verdict("R", verdict, None, "")) for verdict in verdicts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "outcome", "sentence"),
    [
        (judged("pass"), "pass", "The one blocking requirement holds."),
        (judged("pass", "pass"), "pass", "All 2 blocking requirements hold."),
        (judged("pass", "fail"), "fail", "1 of 2 blocking requirements does not hold."),
        (judged("fail", "fail"), "fail", "2 of 2 blocking requirements do not hold."),
        (judged("pass", "cannot tell"), "cannot tell",
         "1 of 2 blocking requirements cannot be told from these data."),
        (judged("fail", "cannot tell", "pass"), "fail",
         "1 of 3 blocking requirements does not hold, and 1 cannot be told from these data."),
        (judged("pass") + judged("fail", blocking=False), "pass", "The one blocking requirement holds."),
        (judged("fail", blocking=False), "none",
         "No requirement is declared as blocking, so the gate has nothing to decide."),
        ((), "none", "No requirement is declared, so this report gives numbers and no verdict."),
    ],
)  # fmt: skip
def test_the_outcome_is_that_of_the_gate(verdicts: tuple[Judged, ...], outcome: str, sentence: str) -> None:
    assert sample_audit(judged=verdicts).outcome == outcome
    assert outcome_sentence(verdicts) == sentence


def test_the_json_holds_every_number_as_it_was_published() -> None:
    audit = sample_audit()
    read = json.loads(json.dumps(audit.as_json(), allow_nan=False))
    assert read["outcome"] == "fail"
    for section, stored in zip(audit.sections, read["sections"], strict=True):
        assert [number.as_json() for number in section.numbers] == stored["numbers"]
    assert [item["verdict"] for item in read["judged"]] == [item.verdict.verdict for item in audit.judged]
