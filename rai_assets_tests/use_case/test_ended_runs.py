"""Runs that ended, read from Dagster's own records: odd ones, repeated checks, many at once, another clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from rai_assets.errors import RaiError
from rai_assets.home import home, prepare
from rai_assets.monitoring.alerts.events import Event
from rai_assets.monitoring.alerts.outbox import Outbox, open_outbox
from rai_assets.store.errors import BackendUnavailable
from rai_assets.use_case import ended_runs
from rai_assets.use_case.alerting import gather
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.ended_runs import EndedRun
from rai_assets.use_case.graph import LAKE
from rai_assets_tests.monitoring.alerts.sinks import Sink
from rai_assets_tests.use_case.alerts import begin, tick


def report(instance: dg.DagsterInstance, asset: str, *answers: tuple[bool, dict[str, Any]], job: str = "loans") -> str:
    """A run that ended, with the answers of the check `own` of an asset; its id."""
    key = dg.AssetKey(["loans", asset])
    from dagster._core.events import AssetCheckEvaluation, DagsterEvent, DagsterEventType, JobFailureData
    from dagster._core.events.log import EventLogEntry
    from dagster._core.test_utils import create_run_for_test

    made = create_run_for_test(instance, job_name=job, status=dg.DagsterRunStatus.STARTED)
    for passed, metadata in answers:
        answer = AssetCheckEvaluation(
            asset_key=key,
            check_name="own",
            passed=passed,
            metadata={name: dg.MetadataValue.text(value) for name, value in metadata.items()},
            severity=dg.AssetCheckSeverity.ERROR,
        )
        happened = DagsterEvent(
            event_type_value=DagsterEventType.ASSET_CHECK_EVALUATION.value, job_name=job, event_specific_data=answer
        )
        instance.handle_new_event(
            EventLogEntry(
                user_message="", level=20, run_id=made.run_id, timestamp=time.time(), error_info=None,
                dagster_event=happened,
            )
        )  # fmt: skip
    ended = DagsterEvent(
        event_type_value=DagsterEventType.RUN_FAILURE.value,
        job_name=job,
        event_specific_data=JobFailureData(None, None),
    )
    instance.report_dagster_event(ended, made.run_id)
    return str(made.run_id)


def test_records_of_another_shape_hold_up_no_other_alert(told: Declared, sink: Sink) -> None:
    begin(told)
    with dg.DagsterInstance.get() as instance:
        report(instance, "evaluation", (False, {"violations": "many", "columns": "income"}))  # no number
        report(instance, "scorecard", (False, {"violations": "many"}))
        assert tick(told) == "1 new, 1 sent, 0 not taken and tried again later"
        assert tick(told).startswith("0 new")
    (event,) = sink.events()
    assert (event["asset"], event["subject"]) == ("scorecard", "own")


def test_of_a_check_that_was_tried_again_in_one_run_the_last_answer_counts(told: Declared, sink: Sink) -> None:
    begin(told)
    with dg.DagsterInstance.get() as instance:
        report(instance, "evaluation", (False, {}), (True, {}))
        tick(told)
    assert [item["type"] for item in sink.events()] == ["rai.run_failed"]


def test_many_runs_are_read_over_several_looks(told: Declared, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_runs, "_AT_ONCE", 3)
    begin(told)
    with dg.DagsterInstance.get() as instance:
        for _ in range(8):
            report(instance, "evaluation", (True, {}))
        outbox = open_outbox(home())
        mine = {"loans": told.use_case.alerts}
        assert gather(outbox, mine, instance, LAKE, seconds=0.0) == (1, [])  # it stops after each, and goes on there
        assert gather(outbox, mine, instance, LAKE) == (7, [])


def test_looks_that_are_short_of_time_come_to_the_end_of_runs_that_ended_together(
    told: Declared, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is looked at twice takes no time from what was never looked at."""
    begin(told)
    with dg.DagsterInstance.get() as instance:
        runs = [report(instance, "evaluation", (True, {})) for _ in range(3)]
        outbox, mine, now = open_outbox(home()), {"loans": told.use_case.alerts}, time.time()
        for minutes in range(1, 4):
            monkeypatch.setattr(time, "time", lambda minutes=minutes: now + 61 * minutes)
            assert gather(outbox, mine, instance, LAKE, seconds=0.0) == (1, [])
        assert gather(outbox, mine, instance, LAKE) == (0, [])
    assert [item.body["run"] for item in outbox.listing()] == runs[::-1]


def test_a_run_that_the_records_show_late_is_told(told: Declared, sink: Sink) -> None:
    """One that ended half a minute before the last look, as another host's clock says."""
    begin(told)
    with dg.DagsterInstance.get() as instance:
        outbox, mine = open_outbox(home()), {"loans": told.use_case.alerts}
        outbox.mark("first", str(time.time() - 3600))
        report(instance, "evaluation", (True, {}))
        assert gather(outbox, mine, instance, LAKE) == (1, [])
        late = report(instance, "scorecard", (True, {}))
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=30)
        with instance.run_storage.connect() as records:  # type: ignore[attr-defined]
            records.execute(text("update runs set update_timestamp = :at where run_id = :run"), {"at": at, "run": late})
        assert gather(outbox, mine, instance, LAKE) == (1, [])


@pytest.mark.parametrize("mark", ["runs", "first"])
def test_a_clock_that_was_fast_loses_no_alert(told: Declared, sink: Sink, mark: str) -> None:
    begin(told)
    with dg.DagsterInstance.get() as instance:
        open_outbox(home()).mark(mark, str(time.time() + 3600))  # a look when the clock was an hour fast
        report(instance, "evaluation", (False, {}))
        assert tick(told).startswith("1 new, 1 sent")
        report(instance, "scorecard", (False, {}))
        assert tick(told).startswith("1 new, 1 sent")


def test_what_ended_before_the_first_look_is_not_told(told: Declared, sink: Sink) -> None:
    prepare()
    with dg.DagsterInstance.get() as instance:
        report(instance, "scorecard", (False, {}))
        assert tick(told).startswith("0 new, 0 sent")
        report(instance, "evaluation", (False, {}))
        assert tick(told).startswith("1 new, 1 sent")
        assert tick(told).startswith("0 new"), "nor by a later look, which goes back a minute"


def test_runs_of_what_nobody_declared_are_passed_over(told: Declared, sink: Sink) -> None:
    begin(told)
    with dg.DagsterInstance.get() as instance:
        report(instance, "evaluation", job="pricing_audit")
        report(instance, "evaluation", (False, {}))
        assert gather(open_outbox(home()), {"loans": told.use_case.alerts}, instance, LAKE) == (1, [])


def test_an_outbox_that_cannot_be_written_loses_no_alert(
    told: Declared, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(told)
    with dg.DagsterInstance.get() as instance:
        report(instance, "evaluation", (False, {}))
        outbox, mine = open_outbox(home()), {"loans": told.use_case.alerts}

        def full(*_: Any) -> bool:
            raise RaiError("the outbox of alerts cannot be used: disk full", where=str(outbox.path))

        with monkeypatch.context() as patch, pytest.raises(RaiError, match="disk full"):
            patch.setattr(Outbox, "put", full)
            gather(outbox, mine, instance, LAKE)
        assert gather(outbox, mine, instance, LAKE) == (1, [])


def test_what_comes_after_a_run_whose_results_are_away_is_told_with_it(
    told: Declared, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(told)
    with dg.DagsterInstance.get() as instance:
        report(instance, "evaluation", (False, {}))
        report(instance, "scorecard", (False, {}))
        outbox, mine, read = open_outbox(home()), {"loans": told.use_case.alerts}, EndedRun.read
        away = ["first"]

        def reading(*args: Any) -> EndedRun:
            if away:
                raise BackendUnavailable(away.pop())
            return read(*args)

        monkeypatch.setattr(EndedRun, "read", reading)
        new, faults = gather(outbox, mine, instance, LAKE)
        assert (new, len(faults)) == (0, 1)
        assert "is read again later: first" in faults[0]
        assert gather(outbox, mine, instance, LAKE) == (2, [])


def test_what_was_sent_long_ago_is_forgotten_by_a_tick(told: Declared, sink: Sink) -> None:
    begin(told)
    outbox, old = open_outbox(home()), time.time() - 100 * 86_400
    outbox.put(Event("drift", "loans", "drift", "x", "main", "run-1", old, "warning", "T", "Why."), {"ops": old})
    assert tick(told).startswith("0 new, 1 sent")
    assert outbox.listing() == []
