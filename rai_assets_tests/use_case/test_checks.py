"""Alerts about one check: a check that would never be told is refused, with what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.errors import DeclarationError
from rai_assets.use_case.declaration import load
from rai_assets_tests.use_case.conftest import VALID, write

ALERTS = """\
  production: {inbox: {path: inbox}}
  alerts:
    channels: {ops: {type: mail, to: [ops@example.org]}}
    rules:
      - {RULE, to: [ops]}
"""


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("when: check_failed, check: dtyps", "there is no check 'dtyps'; did you mean dtypes?"),
        ("when: check_failed, check: r1", "there is no check 'r1'; did you mean R1?"),
        ("when: check_failed, asset: scorecard, check: R1", "no check 'R1' of scorecard; there are gate"),
        ("when: check_failed, asset: splits, check: gate", "no check 'gate' of splits; there are none"),
        ("when: check_failed, check: gaps_not_wider", "'gaps_not_wider' of fairness_drift is told as drift; write"),
        ("when: drift, check: not_below_audit", "told as check_failed; write `when: check_failed`"),
        ("when: check_failed, asset: batch, check: columns", "leave out `check`, and write `when: quarantine`"),
        ("when: check_failed, check: lateness", "leave out `check`, and write `when: quarantine`"),
        ("when: check_failed, check: usual_size, severity: error", "'usual_size' only warns"),
        ("when: quarantine, check: columns", "`when: quarantine` is of no one check; leave out `check`"),
    ],
)
def test_an_alert_about_a_check_that_would_never_be_told_is_refused(tmp_path: Path, rule: str, said: str) -> None:
    path = write(tmp_path, VALID + ALERTS.replace("RULE", rule))
    with pytest.raises(DeclarationError) as refused:
        load(path)
    assert f"{path}:18" in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "rule",
    [
        "when: check_failed, check: columns",
        "when: check_failed, check: gate, severity: error",
        "when: check_failed, asset: realized_performance, check: R1, severity: error",
        "when: check_failed, check: usual_size",
        "when: drift, check: columns_unchanged",
        "when: drift, asset: estimated_performance, check: performance_not_lower",
    ],
)
def test_an_alert_may_be_about_one_check(tmp_path: Path, rule: str) -> None:
    assert load(write(tmp_path, VALID + ALERTS.replace("RULE", rule))) is not None
