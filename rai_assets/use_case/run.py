"""Running an audit in this process, on the same instance that `rai dev` shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from rai_assets.errors import InputRefused, RaiError, UsageError, near_names
from rai_assets.home import prepare
from rai_assets.keys import MAIN, UseCaseKeys, results_branch
from rai_assets.progress import announce, listening
from rai_assets.store.branches import check_data_branch, data_branches
from rai_assets.store.expiry import TRANSIENT_AGE, expire
from rai_assets.store.turns import mark_alive, mark_ended, turn
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.publishing import contract_broken
from rai_assets.use_case.stopping import stoppable

_EXPIRED_AT_ONCE = 50  # run branches looked at before a run
# Whoever started it is there to start it again.
_STARTED_HERE = {"rai/started_by": "rai run", "dagster/max_retries": "0"}
# Dagster's event log goes to its storage; the console shows our own lines.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """What a run ended with.

    Attributes:
        run_id: Dagster's id of the audit run.
        made: Assets that were materialized, in order.
        verdicts: One {id, verdict, blocking, sentence, ...} per requirement, from the stored scorecard.
        gate: `pass`, `fail` or `cannot tell`; None where the run did not make a scorecard.
        champion: What the promotion said, or None where it was not asked.
    """

    run_id: str
    made: list[str]
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    gate: str | None = None
    champion: str | None = None


def run(declared: Declared, branch: str = MAIN, only: Sequence[str] = ()) -> Outcome:
    """Audit one data branch of a use case, and ask for the promotion after an audit of `main`.

    Args:
        declared: The use case.
        branch: Data branch.
        only: Names of assets to materialize; all of the audit when empty.

    Raises:
        InputRefused: The data, the model or the declaration was refused.
        RaiError: A step failed, or another run of this use case is under way.
        UsageError: `only` names an asset that does not exist.
    """
    home = prepare()
    keys = declared.use_case.keys()

    import dagster as dg

    from rai_assets.use_case.graph import LAKE, build, end_dead_runs, location_definitions
    from rai_assets.use_case.quiet import quiet

    check_data_branch(LAKE.repository(keys), keys.name, branch)
    branches = list(data_branches(LAKE.repository(keys)))
    with quiet(), _disk_faults(home), dg.DagsterInstance.get() as instance, stoppable() as stop_if_asked:
        definitions = dg.Definitions.merge(location_definitions([declared]), build(declared))
        selection = _selection(definitions, keys, only) if only else None
        end_dead_runs(home, instance)
        run_id = str(uuid4())
        with (
            turn(home, keys.name, branch, run_id, wait=0, report=announce),
            _alive(home, run_id),
        ):
            _mirror_branches(keys, branches, instance)
            # Not a whole sweep: that reads all of the history.
            expire(LAKE.repository(keys), TRANSIENT_AGE, at_most=_EXPIRED_AT_ONCE)
            job = definitions.resolve_job_def(keys.audit_job)
            given = {"partition_key": branch, "asset_selection": selection, "run_id": run_id}
            result = _executed(job, instance, stop_if_asked, **given)
        made = [event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key]
        if "scorecard" not in made and not result.success:
            raise _failure(result)
        outcome = _outcome(LAKE.repository(keys), branch, run_id, made)
        if branch == MAIN and "scorecard" in made and declared.use_case.model is not None:
            promoted = _executed(definitions.resolve_job_def(keys.promotion_job), instance, stop_if_asked)
            mark_ended(home, promoted.run_id)
            outcome = replace(outcome, champion=_decision(promoted))
    return outcome


@contextmanager
def _disk_faults(home: Path) -> Iterator[None]:
    """What the disk refuses Dagster, in words; the store speaks for itself."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (DBAPIError, OSError) as fault:
        said = fault.orig if isinstance(fault, DBAPIError) else fault.strerror or fault
        raise RaiError(
            f"Dagster's records cannot be read or written: {said}",
            where=str(home / "dagster"),
            fix="free some disk and make the folder writable, then run this again; finished results are kept",
        ) from fault


def _executed(job: Any, instance: Any, stop_if_asked: Callable[[], None], **given: Any) -> Any:
    """The result of a job, worked on in this process; a Ctrl-C ends it at the next line of progress at the latest."""
    with listening(lambda _: stop_if_asked()):
        result = job.execute_in_process(
            instance=instance, raise_on_error=False, run_config=_QUIET, tags=_STARTED_HERE, **given
        )
    stop_if_asked()
    return result


@contextmanager
def _alive(home: Path, run_id: str) -> Iterator[None]:
    mark_alive(home, run_id)
    yield
    mark_ended(home, run_id)  # a run that is broken off stays marked until its process ends, so that it is found dead


def _mirror_branches(keys: UseCaseKeys, branches: Sequence[str], instance: Any) -> None:
    import dagster as dg

    from rai_assets.use_case.observer import partition_changes

    present = instance.get_dynamic_partitions(keys.branch_partitions)
    for change in partition_changes(keys, branches, present):
        if isinstance(change, dg.AddDynamicPartitionsRequest):
            instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
        else:
            for key in change.partition_keys:
                instance.delete_dynamic_partition(change.partitions_def_name, key)


def _selection(definitions: Any, keys: UseCaseKeys, only: Sequence[str]) -> list[Any]:
    import dagster as dg

    known = {key.path[-1]: key for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise UsageError(f"{keys.name} has no asset {unknown[0]!r}", fix=near_names(unknown[0], sorted(known)))
    return [dg.AssetKey(keys.asset(name)) for name in only]


def _failure(result: Any) -> RaiError:
    """Why a run made no scorecard, in the user's words."""
    import dagster as dg

    broken = [
        item
        for item in result.get_asset_check_evaluations()
        if item.asset_key.path[-1] == "dataset" and not item.passed and item.severity == dg.AssetCheckSeverity.ERROR
    ]
    if broken:
        where = broken[0].metadata["branch"].value
        return contract_broken([str(item.description) for item in broken], str(where))
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    if failure.user_failure_data is None:
        error = failure.error.cause or failure.error
        return RaiError(
            error.message.strip(), fix=f"the whole trace is in the run {result.run_id[:8]}: `rai dev` shows it"
        )
    code = failure.user_failure_data.metadata.get("exit_code")
    kind = InputRefused if code is not None and code.value == InputRefused.exit_code else RaiError
    return kind(failure.user_failure_data.description)


def _outcome(repository: Any, branch: str, run_id: str, made: list[str]) -> Outcome:
    if "scorecard" not in made:
        return Outcome(run_id, made)
    from rai_assets.store import results

    facts = results.load(repository, results_branch(branch), "scorecard").facts
    return Outcome(run_id, made, facts["verdicts"], facts["gate"])


def _decision(result: Any) -> str:
    """What a promotion said."""
    if not result.success:
        raise _failure(result)
    event = result.get_asset_materialization_events()[-1]
    return str(event.step_materialization_data.materialization.metadata["decision"].value)
