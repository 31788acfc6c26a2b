"""The sensor `alerts` on a real Dagster instance: what runs found reaches a receiver, once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rai_assets.home import prepare
from rai_assets.use_case.declaration import Declared, load
from rai_assets.use_case.graph import LAKE, build, location_definitions
from rai_assets.use_case.run import run
from rai_assets_tests.monitoring.alerts.conftest import SECRET
from rai_assets_tests.monitoring.alerts.sinks import Sink, http_sink
from rai_assets_tests.use_case.conftest import Rai

# Logged decisions, so that nothing is trained.
LOGGED = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: loans
  dataset:
    files: [{{path: logged.csv}}]
    columns:
      income: {{role: context, dtype: number, minimum: 0}}
      repaid: {{role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}}
      decided: {{role: prediction, dtype: category, allowed: ["no", "yes"]}}
  requirements:
    - {{id: R3, text: Never wrong, definition: accuracy, at_least: 0.999}}
  alerts:
    channels:
      ops: {{type: webhook, url: "{url}", secret_env: RAI_OPS_SECRET}}
    rules:
      - {{when: check_failed, severity: error, to: [ops]}}
      - {{when: run_failed, to: [ops]}}
      - {{when: not_fresh, to: [ops]}}
      - {{when: metric_crossed, asset: evaluation, definition: accuracy, at_least: 0.99, to: [ops]}}
      - {{when: metric_crossed, asset: evaluation, definition: accuracy, at_least: 0.1, to: [ops]}}
"""

ROWS = "income,repaid,decided\n" + "50,yes,yes\n" * 80 + "40,no,yes\n" * 20


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    monkeypatch.setenv("RAI_ALERT_HOSTS", "localhost")
    monkeypatch.setenv("RAI_OPS_SECRET", SECRET)
    with http_sink() as opened:
        yield opened


@pytest.fixture
def told(loans: Declared, sink: Sink) -> Declared:
    """The use case, with alerts that go to the sink."""
    (loans.folder / "logged.csv").write_text(ROWS)
    loans.path.write_text(LOGGED.format(url=sink.url))
    declared = load(loans.path)
    assert declared is not None
    return declared


def tick(declared: Declared) -> str:
    """What the daemon does twice a minute; returns what the sensor says."""
    definitions = dg.Definitions.merge(location_definitions([declared]), build(declared))
    sensor = definitions.get_repository_def().get_sensor_def("alerts")
    with (
        dg.DagsterInstance.get() as instance,
        dg.build_sensor_context(instance, resources={"lake": LAKE}) as context,
    ):
        answer = sensor(context)
    assert isinstance(answer, dg.SkipReason)
    return str(answer.skip_message)


def begin(declared: Declared) -> None:
    """A first look, from which on what happens is told."""
    prepare()
    tick(declared)


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
    assert event["text"] == "ranges: 1 violations in income"
    assert "777" not in sink.bodies[0].decode()


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


def test_what_cannot_be_sent_waits_and_is_seen_by_the_command(told: Declared, sink: Sink, rai: Rai) -> None:
    begin(told)
    run(told)
    sink.answers = [500]
    assert tick(told) == "3 new, 0 sent, 3 not taken and tried again later"
    said = rai("alerts", "list", "loans")
    assert "ops: waiting until" in said
    assert "the endpoint answered 500" in said
    assert rai("alerts", "retry") == "3 due now\n"
    assert tick(told) == "0 new, 3 sent, 0 not taken and tried again later"
    assert rai("alerts", "list").count("ops: sent, tries 2") == 3


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
