"""A run that was worked outside of Dagster, as Dagster's own records show it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rai_assets.keys import UseCaseKeys
from rai_assets.use_case import recording as recordings
from rai_assets.use_case.recording import Told, recording

KEYS = UseCaseKeys("loans")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def batch(key: str, *, passed: bool = True) -> Told:
    return Told("batch", key, [dg.AssetCheckResult(passed=passed, check_name="ranges")], {"rows": 3})


def made(instance: dg.DagsterInstance) -> list[str]:
    """The batches that were made, as another process sees them."""
    with dg.DagsterInstance.local_temp(instance.root_directory) as other:
        found = other.fetch_materializations(dg.AssetKey(["loans", "batch"]), limit=100, ascending=True).records
        return [str(item.partition_key) for item in found]


def test_what_was_made_and_found_stands_in_a_run_that_succeeded(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    with recording(instance, KEYS, tmp_path) as run:
        run.tell([batch("d1"), batch("d2", passed=False)])
    assert made(instance) == ["d1", "d2"]
    (record,) = instance.get_runs()
    assert (record.run_id, record.job_name, record.status) == (
        run.run_id,
        KEYS.production_job,
        dg.DagsterRunStatus.SUCCESS,
    )
    checks = [
        entry.asset_check_evaluation
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        if entry.asset_check_evaluation is not None
    ]
    assert [(item.partition, item.passed) for item in checks] == [("d1", True), ("d2", False)]
    about = [item.target_materialization_data for item in checks]
    assert [None if item is None else item.run_id for item in about] == [run.run_id] * 2, "each is about what was made"


def test_a_run_that_breaks_off_has_failed_and_one_of_nothing_is_none(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with recording(instance, KEYS, tmp_path):
        pass
    assert instance.get_runs() == []
    with pytest.raises(OSError, match="full"), recording(instance, KEYS, tmp_path) as run:
        run.tell([batch("d1")])
        raise OSError("the disk is full")
    assert [item.status for item in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


def test_the_events_of_a_group_are_written_by_one_transaction(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    with recording(instance, KEYS, tmp_path) as run:
        run.tell([batch("d1")])
        with recordings._one_transaction(instance.event_log_storage):
            instance.report_dagster_event(materialized("d2"), run.run_id)
            instance.report_dagster_event(materialized("d3"), run.run_id)
            assert made(instance) == ["d1"], (
                "Dagster does not write its events by `run_connection` and `index_connection` of its storage any more: "
                "a backfill opens its files for every single event, which is slow; see `_one_transaction`"
            )
        assert made(instance) == ["d1", "d2", "d3"]
        instance.report_dagster_event(materialized("d4"), run.run_id)
        assert made(instance)[-1] == "d4", "and after it Dagster's own connections are back"


def test_a_group_that_cannot_be_written_leaves_nothing_behind(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    with recording(instance, KEYS, tmp_path) as run:
        run.tell([batch("d1")])
        with (
            pytest.raises(OSError, match="full"),
            recordings._one_transaction(instance.event_log_storage),
        ):
            instance.report_dagster_event(materialized("d2"), run.run_id)
            raise OSError("the disk is full")
        assert made(instance) == ["d1"]


def materialized(key: str) -> dg.DagsterEvent:
    data = recordings._made(dg.AssetKey(["loans", "batch"]), batch(key))
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION.value
    return dg.DagsterEvent(kind, KEYS.production_job, event_specific_data=data)
