"""Alerts of batches: a quarantine, a change, and a number of a batch's own result beyond its limit."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from rai_assets.home import prepare
from rai_assets.use_case.declaration import load
from rai_assets_tests.monitoring.alerts.sinks import Sink
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.monitoring.batches.test_questions import shifted, without_target
from rai_assets_tests.use_case.conftest import loan_rows
from rai_assets_tests.use_case.test_alerting import tick

ALERTS = """\
  alerts:
    channels:
      ops: {{type: webhook, url: "{url}", secret_env: RAI_OPS_SECRET}}
    rules:
      - {{when: quarantine, to: [ops]}}
      - {{when: drift, asset: drift, to: [ops]}}
      - {{when: metric_crossed, asset: drift, definition: domain_classifier_auc, at_most: 0.6, to: [ops]}}
"""


def test_a_batch_is_told_of_by_its_key(place: Path, inbox: Desk, sink: Sink) -> None:
    path = place / "defs" / "loans" / "defs.yaml"
    path.write_text(path.read_text() + ALERTS.format(url=sink.url))
    declared = load(path)
    assert declared is not None
    prepare()
    tick(declared)
    inbox.put("broken.csv", "weekday,income,sex\nmon,12,X\n")
    inbox.put("calm.csv", without_target(loan_rows(300, seed=3)))
    inbox.put("poor.csv", shifted(300))
    with dg.DagsterInstance.get() as instance:
        Daemon(declared, instance).tick()
    tick(declared)
    told = {(item["type"], item["asset"], item["subject"], item["partition"]) for item in sink.events()}
    assert told == {
        ("rai.quarantine", "batch", "", "broken"),
        ("rai.drift", "drift", "columns_unchanged", "poor"),
        ("rai.drift", "drift", "columns_together_unchanged", "poor"),
        ("rai.metric_crossed", "drift", "domain_classifier_auc[] at most 0.6", "poor"),
    }
    assert tick(declared).startswith("0 new")
