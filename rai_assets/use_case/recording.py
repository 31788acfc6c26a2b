"""Work that was done outside of Dagster, as a run in Dagster's records: what it made, and what its checks found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg

from rai_assets.keys import UseCaseKeys
from rai_assets.store.turns import mark_alive, mark_ended

# Whoever started it is there to start it again.
BACKFILL = {"rai/started_by": "rai backfill", "dagster/max_retries": "0"}
_AT_ONCE = 500  # events that are written by one transaction, while which no other process writes
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Told:
    """What is told of one asset and one of its partitions.

    Attributes:
        thing: Last part of the asset key.
        partition: Its key.
        checks: What was found of it.
        made: Metadata of the materialization; None where nothing was made.
    """

    thing: str
    partition: str
    checks: Sequence[dg.AssetCheckResult]
    made: dict[str, Any] | None


def evaluation(
    keys: UseCaseKeys, told: Told, check: dg.AssetCheckResult, target: Any = None
) -> dg.AssetCheckEvaluation:
    """What a check found of a partition, as Dagster keeps it; `target` is the materialization that it is about."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(keys.asset(told.thing)),
        check_name=str(check.check_name),
        passed=check.passed,
        metadata=check.metadata or {},
        severity=check.severity,
        description=check.description,
        partition=told.partition,
        target_materialization_data=target,
    )


@dataclass
class Recording:
    """A run that begins with the first thing that is told; others see that this process works on it.

    Attributes:
        instance: Dagster's records.
        keys: Names of the use case.
        home: The state folder.
        run_id: Id of the run.
    """

    instance: dg.DagsterInstance
    keys: UseCaseKeys
    home: Path
    run_id: str = field(default_factory=lambda: str(uuid4()))
    _begun: bool = False

    def tell(self, told: Sequence[Told]) -> None:
        """Write down what was made, then what was found of it."""
        kinds = dg.DagsterEventType
        if told and not self._begun:
            self._begin()
        self._write([(kinds.ASSET_MATERIALIZATION, _made(self._key(item), item)) for item in told if item.made])
        things = {item.thing for item in told if item.made and item.checks}
        targets = {thing: self._targets(thing, {item.partition for item in told}) for thing in things}
        found = [
            (kinds.ASSET_CHECK_EVALUATION, self._found(item, check, targets.get(item.thing, {})))
            for item in told
            for check in item.checks
        ]
        self._write(found)

    def end(self, kind: dg.DagsterEventType) -> None:
        """The run is over, if it has begun."""
        if self._begun:
            self._report(kind, None)
            mark_ended(self.home, self.run_id)

    def _begin(self) -> None:
        mark_alive(self.home, self.run_id)
        asset = frozenset({self._key_of("batch")})
        run = dg.DagsterRun(self.keys.production_job, run_id=self.run_id, asset_selection=asset, tags=BACKFILL)
        self.instance.add_run(run)
        self._begun = True
        # By itself: Dagster makes the run's file for its first event.
        self._report(dg.DagsterEventType.RUN_START, None)

    def _key(self, told: Told) -> dg.AssetKey:
        return self._key_of(told.thing)

    def _key_of(self, thing: str) -> dg.AssetKey:
        return dg.AssetKey(self.keys.asset(thing))

    def _targets(self, thing: str, partitions: set[str]) -> dict[str, int]:
        """{partition: the event by which it was made last}: what a check is about."""
        made, events = dg.DagsterEventType.ASSET_MATERIALIZATION, self.instance.event_log_storage
        return dict(events.get_latest_storage_id_by_partition(self._key_of(thing), made, partitions))

    def _found(self, told: Told, check: dg.AssetCheckResult, targets: dict[str, int]) -> dg.AssetCheckEvaluation:
        from dagster._core.definitions.asset_checks.asset_check_evaluation import (
            AssetCheckEvaluationTargetMaterializationData as Target,
        )

        target = targets.get(told.partition) if told.made else None
        about = None if target is None else Target(storage_id=target, run_id=self.run_id, timestamp=time.time())
        return evaluation(self.keys, told, check, about)

    def _write(self, events: Sequence[tuple[dg.DagsterEventType, Any]]) -> None:
        for start in range(0, len(events), _AT_ONCE):
            with _one_transaction(self.instance.event_log_storage):
                for kind, data in events[start : start + _AT_ONCE]:
                    self._report(kind, data)

    def _report(self, kind: dg.DagsterEventType, data: Any) -> None:
        event = dg.DagsterEvent(kind.value, self.keys.production_job, event_specific_data=data)
        self.instance.report_dagster_event(event, self.run_id)


@contextmanager
def recording(instance: dg.DagsterInstance, keys: UseCaseKeys, home: Path) -> Iterator[Recording]:
    """A run that ends with what is done inside, as that ended."""
    run = Recording(instance, keys, home)
    try:
        yield run
    except BaseException as fault:
        kinds = dg.DagsterEventType
        run.end(kinds.RUN_CANCELED if isinstance(fault, KeyboardInterrupt) else kinds.RUN_FAILURE)
        raise
    run.end(dg.DagsterEventType.RUN_SUCCESS)


def _made(key: dg.AssetKey, told: Told) -> Any:
    from dagster._core.events import StepMaterializationData

    return StepMaterializationData(dg.AssetMaterialization(key, partition=told.partition, metadata=told.made))


@contextmanager
def _one_transaction(storage: Any) -> Iterator[None]:
    """Write many events into Dagster's SQLite files at once; other storages keep their connections themselves.

    Dagster opens and closes a file two or three times for every event, which takes four times the event's own work.
    It asks the two methods that every storage has for each of these connections; here they answer with one. For every
    check it opens one more to ask whether there is a table of checks; here it is asked once.
    """
    from dagster._core.storage.event_log import SqliteEventLogStorage
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    if not isinstance(storage, SqliteEventLogStorage):
        yield
        return
    with ExitStack() as stack:
        there: dict[str, Any] = {}

        @contextmanager
        def connection(shard: str) -> Iterator[Any]:
            if shard not in there:
                engine = create_engine(
                    storage.conn_string_for_shard(shard),
                    poolclass=NullPool,
                    connect_args={"timeout": _PATIENCE_SECONDS},
                )
                there[shard] = stack.enter_context(engine.begin())
            yield there[shard]

        storage.run_connection = connection  # type: ignore[method-assign,assignment]
        storage.index_connection = partial(connection, INDEX_SHARD_NAME)  # type: ignore[method-assign]
        storage.has_table = cache(storage.has_table)  # type: ignore[method-assign]
        try:
            yield
        finally:
            del storage.run_connection, storage.index_connection, storage.has_table
