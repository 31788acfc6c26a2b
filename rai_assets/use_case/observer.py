"""The sensor that follows the store: its data branches are the partitions, and a head with other data is audited."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from rai_assets.errors import RaiError
from rai_assets.home import home
from rai_assets.keys import UseCaseKeys
from rai_assets.store.assets import branch_partitions
from rai_assets.store.resource import Lake
from rai_assets.use_case.declaration import Declared

SENSOR_SECONDS = 30
_DIGITS = 12  # of a head in the cursor, which Dagster keeps with every tick

Memory = dict[str, tuple[str, int]]
"""{branch: (the beginning of its head's id, when it was first seen in milliseconds since 1970)}."""
PartitionChange = dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest


@dataclass
class _Findings:
    """What one look at one use case asks for."""

    memory: Memory
    partitions: list[PartitionChange] = field(default_factory=list)
    runs: list[dg.RunRequest] = field(default_factory=list)
    observations: list[dg.AssetObservation] = field(default_factory=list)


def branch_sensor(declared: Sequence[Declared], audit_jobs: Sequence[Any]) -> dg.SensorDefinition:
    """The sensor for all use cases of a code location.

    The heads of the last tick are in its cursor: a tick lists the branches, and reads no more of those that did not
    move.

    Args:
        declared: The use cases.
        audit_jobs: The job of each that audits one data branch.
    """

    @dg.sensor(
        name="data_branches",
        jobs=list(audit_jobs),
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Mirrors the store's data branches as partitions: a new branch appears, a deleted one leaves, one "
        "made again is new. A head whose data are not those of the last audit is observed and audited.",
    )
    def data_branches(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        remembered = json.loads(context.cursor or "{}")
        looked: dict[str, _Findings] = {}
        for item in declared:
            name = item.use_case.name
            memory = {branch: (head, born) for branch, (head, born) in remembered.get(name, {}).items()}
            try:
                looked[name] = _look(item, lake, context.instance, memory)
            except RaiError as fault:
                # The store of one use case does not hold up the others; the next tick looks again.
                context.log.error(str(fault))
                looked[name] = _Findings(memory)
        found = list(looked.values())
        cursor = json.dumps({name: item.memory for name, item in looked.items()}, separators=(",", ":"))
        if cursor == context.cursor and not any(item.partitions for item in found):
            return dg.SkipReason("no branch changed")
        return dg.SensorResult(
            run_requests=[request for item in found for request in item.runs],
            dynamic_partitions_requests=[change for item in found for change in item.partitions],
            asset_events=[event for item in found for event in item.observations],
            cursor=cursor,
        )

    return data_branches


def partition_changes(keys: UseCaseKeys, branches: Sequence[str], present: Sequence[str]) -> list[PartitionChange]:
    """What must be added to and deleted from the partitions that are present so that they mirror the data branches."""
    partitions = branch_partitions(keys)
    new = [name for name in branches if name not in present]
    gone = [name for name in present if name not in branches]
    requests: list[PartitionChange] = []
    if new:
        requests.append(partitions.build_add_request(new))
    if gone:
        requests.append(partitions.build_delete_request(gone))
    return requests


def _look(declared: Declared, lake: Lake, instance: dg.DagsterInstance, memory: Memory) -> _Findings:
    from rai_assets.store.branches import data_branches
    from rai_assets.store.turns import at_work
    from rai_assets.use_case.branch_states import audited_digest, descends
    from rai_assets.use_case.branches import clear_results

    keys = declared.use_case.keys()
    repository = lake.repository(keys)
    heads = data_branches(repository)
    present = set(instance.get_dynamic_partitions(keys.branch_partitions))
    found = _Findings({}, partition_changes(keys, list(heads), sorted(present)))
    for branch in (memory.keys() | present) - heads.keys():
        clear_results(declared, repository, branch)
    for branch, head in heads.items():
        seen, born = memory.get(branch, ("", 0))
        if head.startswith(seen or "none") and branch in present:
            found.memory[branch] = (seen, born)
            continue
        if at_work(home(), keys.name, branch):
            # That run may be publishing these very data; what it leaves is looked at when it has ended.
            if seen:
                found.memory[branch] = (seen, born)
            continue
        made_again = bool(seen) and not descends(repository, head, seen)
        new = branch not in present or made_again
        if new or not born:
            born = time.time_ns() // 1_000_000
        found.memory[branch] = (head[:_DIGITS], born)
        _judge(declared, repository, branch, head, None if new else audited_digest(repository, branch), born, found)
    return found


def _judge(
    declared: Declared, repository: Any, branch: str, head: str, audited: str | None, born: int, found: _Findings
) -> None:
    """Ask for an observation and an audit of a head, if its data are not those that were audited."""
    from rai_assets.store.ledger import data_digest, standing
    from rai_assets.use_case.branch_states import holds_data

    digest = data_digest(repository, head)
    if digest == audited or not holds_data(repository, head):
        return
    keys = declared.use_case.keys()
    gate = standing(repository, head, declared.requirements)
    found.observations.append(
        dg.AssetObservation(
            keys.asset("dataset"),
            description=gate.sentence,
            partition=branch,
            tags={"dagster/data_version": digest},
            metadata={"commit": head, "gated": gate.gated, "standing": gate.sentence},
        )
    )
    # The same data may come back, by a revert or on a branch that is made again: each time they are audited once.
    run_key = f"{keys.name}:{branch}:{digest[:16]}:{head[:_DIGITS]}:{born}"
    found.runs.append(dg.RunRequest(run_key, job_name=keys.audit_job, partition_key=branch))
