"""Alerts of batches: a quarantine, a change, and a number of a batch's own result beyond its limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rai_assets.home import home, prepare
from rai_assets.monitoring.alerts.outbox import open_outbox
from rai_assets.progress import Progress
from rai_assets.use_case.backfill import backfill
from rai_assets.use_case.batches import let_pass
from rai_assets.use_case.declaration import Declared, load
from rai_assets_tests.monitoring.alerts.sinks import Sink
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.monitoring.batches.test_questions import shifted, without_target
from rai_assets_tests.use_case.alerts import tick
from rai_assets_tests.use_case.conftest import loan_rows

ALERTS = """\
  alerts:
    channels:
      ops: {{type: webhook, url: "{url}", secret_env: RAI_OPS_SECRET}}
    rules:
      - {{when: quarantine, to: [ops]}}
      - {{when: drift, asset: drift, to: [ops]}}
      - {{when: metric_crossed, asset: drift, definition: domain_classifier_auc, at_most: 0.6, to: [ops]}}
"""


@pytest.fixture
def telling(place: Path, sink: Sink) -> Declared:
    """`loans` in production, with alerts that go to the sink from now on."""
    path = place / "defs" / "loans" / "defs.yaml"
    path.write_text(path.read_text() + ALERTS.format(url=sink.url))
    declared = load(path)
    assert declared is not None
    prepare()
    tick(declared)
    return declared


def test_a_batch_is_told_of_by_its_key(telling: Declared, inbox: Desk, sink: Sink) -> None:
    declared = telling
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


BROKEN = loan_rows(60, seed=2).replace(",F,", ",?,")
WHOLE = loan_rows(60, seed=2)


@pytest.fixture
def runs(telling: Declared) -> Iterator[Daemon]:
    """The daemon of `telling`, whose runs take batches only."""
    with dg.DagsterInstance.get() as instance:
        yield Daemon(telling, instance, "batch")


def quarantines(declared: Declared, sink: Sink) -> int:
    """How many were told so far."""
    tick(declared)
    return sum(item["type"] == "rai.quarantine" for item in sink.events())


def test_the_same_quarantine_is_told_once_and_other_bytes_are_another(
    telling: Declared, runs: Daemon, inbox: Desk, sink: Sink, place: Path
) -> None:
    inbox.put("week.csv", BROKEN)
    assert runs.tick() == {"week": False}
    assert quarantines(telling, sink) == 1
    # The same files again, e.g. by "Materialize" on Dagster's page: no news.
    again = runs.definitions.resolve_job_def("loans_production").execute_in_process(
        instance=runs.instance,
        partition_key="week",
        asset_selection=[dg.AssetKey(["loans", "batch"])],
        raise_on_error=False,
    )
    assert not again.success
    assert quarantines(telling, sink) == 1
    inbox.put("week.csv", BROKEN.replace(",M,", ",?,"))
    assert runs.tick() == {"week": False}
    assert quarantines(telling, sink) == 2
    # The first bytes once more, after others.
    inbox.put("week.csv", BROKEN)
    assert runs.tick() == {"week": False}
    assert quarantines(telling, sink) == 3


@pytest.mark.parametrize(
    ("way", "by"), [("new bytes", "a backfill"), ("a person's word", "a backfill"), ("a person's word", "a run")]
)
def test_a_quarantine_that_was_over_is_told_again(
    telling: Declared, runs: Daemon, inbox: Desk, sink: Sink, way: str, by: str
) -> None:
    inbox.put("week.csv", BROKEN)
    assert runs.tick() == {"week": False}
    assert quarantines(telling, sink) == 1
    if way == "new bytes":
        inbox.put("week.csv", WHOLE)
    else:
        let_pass(telling, "week", "Agreed on 3 May.")
    if by == "a run":
        assert runs.tick() == {"week": True}
    else:
        assert backfill(telling, None, None, Progress(lambda _: None)).accepted == 1
    assert quarantines(telling, sink) == 1
    assert open_outbox(home()).standing("loans") == set()
    # A person's word is about those bytes alone; without one the very same bytes are refused again.
    inbox.put("week.csv", BROKEN if way == "new bytes" else BROKEN.replace(",M,", ",?,"))
    assert runs.tick() == {"week": False}
    assert quarantines(telling, sink) == 2


def test_what_a_backfill_finds_is_not_told(telling: Declared, runs: Daemon, inbox: Desk, sink: Sink) -> None:
    inbox.put("week.csv", BROKEN)
    done = backfill(telling, None, None, Progress(lambda _: None))
    assert done.quarantined == 1
    assert quarantines(telling, sink) == 0
    # And hides nothing that a run finds later.
    inbox.put("week.csv", BROKEN.replace(",M,", ",?,"))
    assert runs.tick() == {"week": False}
    assert quarantines(telling, sink) == 1
