"""The sensor `alerts` on a real Dagster instance: what runs found reaches a receiver, once."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import dagster as dg
import pytest

from rai_assets.home import home, prepare
from rai_assets.keys import UseCaseKeys, check_name
from rai_assets.monitoring.alerts import delivery, webhook
from rai_assets.monitoring.alerts.outbox import _LEASE, open_outbox
from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.protocol import VersionedRepository
from rai_assets.store.resource import Lake
from rai_assets.use_case import alerting
from rai_assets.use_case.alerting import gather
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.graph import LAKE, location_definitions
from rai_assets.use_case.run import run
from rai_assets_tests.monitoring.alerts.sinks import Sink
from rai_assets_tests.use_case.alerts import ROWS, begin, tick
from rai_assets_tests.use_case.conftest import Rai


def test_a_failed_check_and_a_crossed_limit_are_told_once(told: Declared, sink: Sink) -> None:
    begin(told)
    run(told)
    assert tick(told) == "3 new, 3 sent, 0 not taken and tried again later"
    events = {(item["type"], item["asset"]): item for item in sink.events()}
    failed = events["rai.check_failed", "evaluation"]
    assert failed["partition"] == "main"
    assert failed["text"].startswith("The accuracy is 0.80")
    assert events["rai.check_failed", "scorecard"]["subject"] == "gate"
    crossed = events["rai.metric_crossed", "evaluation"]
    assert crossed["subject"] == "accuracy[] at least 0.99"
    # Nothing new: neither on the next tick, nor by a second audit of the same data.
    assert tick(told).startswith("0 new, 0 sent")
    run(told)
    assert tick(told).startswith("0 new, 0 sent")


def test_a_rule_about_one_requirement_tells_of_it_alone(told: Declared, sink: Sink) -> None:
    lines = [line for line in told.path.read_text().splitlines() if "{when: " not in line]
    told.path.write_text("\n".join([*lines, "      - {when: check_failed, check: R3, to: [ops]}"]) + "\n")
    declared = load(told.path)
    assert declared is not None
    begin(declared)
    run(declared)
    tick(declared)
    (event,) = sink.events()
    assert (event["asset"], event["subject"]) == ("evaluation", check_name("R3"))


def test_a_refused_file_is_told_without_its_values_and_without_the_failed_run(
    told: Declared, sink: Sink, workplace: Path
) -> None:
    begin(told)
    (workplace / "defs" / "loans" / "logged.csv").write_text(ROWS + "-777.5,yes,yes\n")
    with pytest.raises(Exception, match="777"):
        run(told)
    tick(told)
    (event,) = sink.events()
    assert event["type"] == "rai.check_failed"
    assert event["asset"] == "dataset"
    assert event["text"] == "ranges: 1 violation in income"
    assert "777." not in sink.bodies[0].decode()


def test_a_run_that_fails_for_another_reason_is_told(told: Declared, sink: Sink, workplace: Path) -> None:
    begin(told)
    (workplace / "defs" / "loans" / "logged.csv").unlink()
    with pytest.raises(Exception, match=r"logged\.csv"):
        run(told)
    tick(told)
    (event,) = sink.events()
    assert event["type"] == "rai.run_failed"
    assert event["partition"] == "main"
    assert "logged.csv" in event["text"]


@pytest.mark.parametrize(
    ("value", "said"), [("-777.5", "failed checks: ranges of dataset"), ("x777", "failed checks: dtypes of dataset")]
)
def test_where_only_failed_runs_are_told_no_value_of_a_row_is(
    told: Declared, sink: Sink, value: str, said: str
) -> None:
    text = told.path.read_text()
    only = [line for line in text.splitlines() if "{when: " not in line or "run_failed" in line]
    told.path.write_text("\n".join(only) + "\n")
    (told.folder / "logged.csv").write_text(ROWS + f"{value},yes,yes\n")
    declared = load(told.path)
    assert declared is not None
    begin(declared)
    with pytest.raises(Exception, match="777"):
        run(declared)
    tick(declared)
    (event,) = sink.events()
    assert event["type"] == "rai.run_failed"
    assert value not in sink.bodies[0].decode()  # the whole of it: three digits of it may stand in the id of a run
    assert said in event["text"]


def test_an_input_that_was_refused_is_told_without_what_it_holds(told: Declared, sink: Sink) -> None:
    begin(told)
    (told.folder / "logged.csv").write_bytes(pickle.dumps({"x": 777}))
    with pytest.raises(Exception, match="pickle"):
        run(told)
    tick(told)
    (event,) = sink.events()
    assert event["type"] == "rai.run_failed"
    assert event["text"].startswith("an input was refused")
    assert event["text"].endswith("; the page of the run says why")


def test_alerts_that_were_off_for_long_do_not_tell_of_all_that_time(told: Declared, sink: Sink) -> None:
    begin(told)
    outbox, now = open_outbox(home()), time.time()
    for name in ("first", "runs"):
        outbox.mark(name, str(now - 90 * 86_400))
    assert alerting._since(outbox, now) == now - 7 * 86_400


def test_a_tick_is_over_before_dagster_ends_it() -> None:
    """After a minute; the outbox gives a try to nobody else before it must have ended."""
    assert webhook._LONGEST < delivery._LONGEST < _LEASE
    assert alerting._LOOK_SECONDS + alerting._SEND_SECONDS + delivery._LONGEST < 55


def test_a_store_that_is_away_delays_only_what_needs_it(
    told: Declared, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(told)
    run(told)
    with dg.DagsterInstance.get() as instance:
        outbox = open_outbox(home())
        mine = {"loans": told.use_case.alerts}

        class Away(Lake):
            def repository(self, keys: UseCaseKeys) -> VersionedRepository:
                raise BackendUnavailable("the store is away")

        new, faults = gather(outbox, mine, instance, Away())
        assert new == 0
        assert "is read again later: the store is away" in faults[0]
        assert gather(outbox, mine, instance, LAKE) == (3, [])


def test_what_cannot_be_sent_waits_and_is_seen_by_the_command(told: Declared, sink: Sink, rai: Rai) -> None:
    begin(told)
    run(told)
    sink.answers = [500]
    assert tick(told) == "3 new, 0 sent, 1 not taken and tried again later"
    said = rai("alerts", "list", "loans")
    assert "ops: waiting until" in said
    assert "the endpoint answered 500" in said
    assert rai("alerts", "retry") == "3 due now\n"
    assert tick(told) == "0 new, 3 sent, 0 not taken and tried again later"
    said = rai("alerts", "list")
    assert (said.count("ops: sent, tries 1"), said.count("ops: sent, tries 2")) == (2, 1)


def test_a_channel_is_tried_by_hand(told: Declared, sink: Sink, rai: Rai) -> None:
    assert rai("alerts", "test", "loans", "ops") == "ops has taken it\n"
    assert sink.events()[0]["text"] == "Sent by `rai alerts test`. Nothing happened."
    said = rai("alerts", "test", "loans", "opps", code=2)
    assert "the channels are: ops" in said


def test_a_result_that_is_late_is_told_once(told: Declared, sink: Sink) -> None:
    from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

    prepare()
    key = dg.AssetKey(["loans", "dataset"])
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(key))

        def turn(new: FreshnessState, old: FreshnessState) -> None:
            instance.report_runless_asset_event(
                FreshnessStateChange(key=key, new_state=new, previous_state=old, state_change_timestamp=time.time())
            )

        turn(FreshnessState.FAIL, FreshnessState.PASS)
        assert tick(told).startswith("1 new, 1 sent")
        assert tick(told).startswith("0 new, 0 sent")
        turn(FreshnessState.PASS, FreshnessState.FAIL)
        assert tick(told).startswith("0 new")
        turn(FreshnessState.FAIL, FreshnessState.PASS)
        assert tick(told).startswith("1 new, 1 sent")
    assert [item["title"] for item in sink.events()] == ["loans: dataset is later than it should be"] * 2


def test_without_alerts_there_is_no_sensor(loans: Declared) -> None:
    names = {sensor.name for sensor in location_definitions([loans]).sensors or []}
    assert "alerts" not in names
