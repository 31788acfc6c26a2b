"""The batches of a use case from the command line: listing them, backfilling a range, accepting a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rai_assets.errors import RaiError, UsageError
from rai_assets.home import home, prepare
from rai_assets.keys import PRODUCTION, UseCaseKeys, batch_folder, results_branch
from rai_assets.monitoring.batches.accept import Accepted
from rai_assets.monitoring.batches.acceptance import Acceptance, accept_contract
from rai_assets.monitoring.batches.acceptance import let_pass as let_batch_pass
from rai_assets.monitoring.batches.arrivals import Entry, State
from rai_assets.monitoring.batches.audit import Production, batch_result
from rai_assets.monitoring.batches.backfill import (
    Backfilled,
    audit_together,
    in_range,
    take_everything,
    take_labels,
)
from rai_assets.monitoring.batches.batch import TABLE
from rai_assets.monitoring.batches.label_store import waiting_labels
from rai_assets.monitoring.batches.rules import rule_descriptions
from rai_assets.progress import Progress
from rai_assets.store import results
from rai_assets.store.changes import ChangeSet
from rai_assets.store.errors import NoChanges, NotFound
from rai_assets.store.open import ensure_branch, open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets.store.stage import Stage
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.publishing import person

if TYPE_CHECKING:
    from rai_assets.store.assets import ResultAsset
    from rai_assets.use_case.recording import Told


def production_of(declared: Declared) -> Production:
    """What watches the batches of a use case.

    Raises:
        UsageError: It declares no production.
    """
    use_case = declared.use_case
    if use_case.production is None:
        raise UsageError(
            f"{use_case.name} declares no production",
            where=str(declared.path),
            fix="add e.g. `production: {inbox: {path: inbox}}`",
        )
    return Production(use_case.keys(), use_case.dataset, use_case.production, declared.folder, home())


def listed(declared: Declared, state: State | None = None) -> list[Entry]:
    """The batches in a state, or all, by key.

    Raises:
        UsageError: The use case declares no production.
    """
    production = production_of(declared)
    with production.arrivals(open_repository(home(), production.keys.repository)) as arrivals:
        return arrivals.entries(state)


def labels_without_rows(declared: Declared) -> dict[str, int]:
    """{file: how many of its labels are of rows that have not arrived}."""
    return waiting_labels(open_repository(home(), production_of(declared).keys.repository))


def accept(declared: Declared, reason: str, batch: str | None, effective: datetime | None) -> Acceptance:
    """Make a changed schema the next version of the contract; arguments and refusals as `accept_contract`."""
    production = production_of(declared)
    repository = open_repository(home(), production.keys.repository)
    return accept_contract(production, repository, by=person(), reason=reason, batch=batch, effective=effective)


def let_pass(declared: Declared, batch: str, reason: str) -> str:
    """Let a batch in quarantine pass on a person's word; returns what follows. Refusals as `acceptance.let_pass`."""
    production = production_of(declared)
    repository = open_repository(home(), production.keys.repository)
    word = let_batch_pass(production, repository, batch, by=person(), reason=reason)
    return f"{batch} is audited again, and published although {', '.join(word.of)} does not hold. {word.sentence}"


def backfill(
    declared: Declared, start: datetime | None, end: datetime | None, progress: Progress, *, again: bool = False
) -> Backfilled:
    """Audit and score the batches of a range in this process, and show them in Dagster.

    Args:
        declared: The use case.
        start: Batches from this time on; all when None.
        end: Batches before this time; all when None.
        progress: Told how far it is.
        again: Ask every question of batches that are there already, too.

    Raises:
        UsageError: The use case declares no production, or the range ends before it starts.
        RaiError: The inbox or the store cannot be reached.
    """
    production = production_of(declared)
    if start is not None and end is not None and start >= end:
        raise UsageError(
            f"no time lies from {start:%Y-%m-%d %H:%M} on and before {end:%Y-%m-%d %H:%M}",
            where="--from, --to",
            fix="name an earlier --from or a later --to; batches of --to itself are not part of the range",
        )
    prepare()
    import dagster as dg

    from rai_assets.use_case.graph import questions
    from rai_assets.use_case.recording import recording

    assets, checks = questions(declared), list(rule_descriptions(production.dataset))
    repository = open_repository(home(), production.keys.repository)
    done = Backfilled()
    faults: dict[str, list[str]] = {}
    branch, things = results_branch(PRODUCTION), {asset.thing for asset in assets}
    answered_at = repository.branches(branch).get(branch)

    def unanswered(key: str) -> bool:
        return answered_at is None or not things <= set(results.assets(repository, answered_at, batch_folder(key)))

    with (
        dg.DagsterInstance.get() as instance,
        production.arrivals(repository) as arrivals,
        recording(instance, production.keys, home()) as run,
    ):
        for problems, waiting in (
            take_everything(production, arrivals, progress),
            take_labels(production, repository, progress),
        ):
            done.problems += problems
            done.waiting += waiting
        with production.label_arrivals() as labels:
            labelled = {entry.key for entry in labels.entries("pending")}
        asked = in_range(production, arrivals, start, end)
        for group in audit_together(production, repository, arrivals, asked, progress):
            done.problems += [item for item in group if isinstance(item, str)]
            found = [item for item in group if isinstance(item, Accepted)]
            done.accepted += sum(item.published and item.changed for item in found)
            done.present += sum(item.published and not item.changed for item in found)
            refused = [item for item in found if not item.published]
            done.quarantined += len(refused)
            asked_of = [
                item
                for item in found
                if item.published
                and (item.changed or again or item.record.key in labelled or unanswered(item.record.key))
            ]
            published = [item for item in asked_of if item.changed or _has_rows(repository, item)]
            done.problems += [
                f"{item.record.key}: its rows were removed (`rai retention`); what was found of it stays as it is"
                for item in asked_of
                if again and item not in published
            ]
            production.join_labels(repository, [item.record.key for item in published], {"run_id": "backfill"})
            _show_keys(instance, production.keys, [item.record.key for item in found])
            known: dict[str, dict[str, results.Result]] = {item.record.key: {} for item in published}
            answers = [batch_result(production.keys, item) for item in published]
            _store(repository, production.keys, answers, published, known)
            made = {
                asset.thing: _ask(asset, repository, production.keys, published, progress, faults, known)
                for asset in assets
            }
            audited = _audited(
                [item for item in (*published, *refused) if item.changed or again], checks, known, repository
            )
            run.tell([*audited, *_answered(assets, made, known, repository)])
        production.tidy(arrivals)
    done.problems += [
        f"{asked[0]}{f' and {len(asked) - 1:,} more' if len(asked) > 1 else ''}: {fault}"
        for fault, asked in faults.items()
    ]
    return done


def _has_rows(repository: VersionedRepository, item: Accepted) -> bool:
    try:
        repository.stat(item.commit, batch_folder(item.record.key) + TABLE)
    except NotFound:
        return False
    return True


def _audited(
    found: Sequence[Accepted],
    checks: Sequence[str],
    known: dict[str, dict[str, results.Result]],
    repository: VersionedRepository,
) -> Iterator[Told]:
    """What Dagster is told of the batches themselves; of those in quarantine what their checks found."""
    from rai_assets.monitoring.batches.assets import check_results, present_batch
    from rai_assets.use_case.recording import Told

    commit = repository.resolve(results_branch(PRODUCTION)) if known else ""
    for item in found:
        key = item.record.key
        made = _metadata(present_batch(known[key]["batch"]), commit, key) if item.published else None
        yield Told("batch", key, list(check_results(item, checks)), made)


def _answered(
    assets: Sequence[ResultAsset],
    made: Mapping[str, Sequence[str]],
    known: dict[str, dict[str, results.Result]],
    repository: VersionedRepository,
) -> Iterator[Told]:
    """What Dagster is told of the questions that were answered: {asset: batches}."""
    from rai_assets.store.assets import answered, requirement_results
    from rai_assets.use_case.recording import Told

    commit = repository.resolve(results_branch(PRODUCTION)) if known else ""
    for asset in assets:
        for key in made[asset.thing]:
            result = known[key][asset.thing]
            shown = _metadata(asset.present(result), commit, key)
            judged = requirement_results(result, asset.requirements, unknown_passes=True)
            yield Told(asset.thing, key, [*judged, *answered(result, asset.checks)], shown)


def _metadata(present: Mapping[str, Any], commit: str, key: str) -> dict[str, Any]:
    return {**present, "results_commit": commit, "results_folder": batch_folder(key), "backfill": True}


def _ask(
    asset: ResultAsset,
    repository: VersionedRepository,
    keys: UseCaseKeys,
    published: Sequence[Accepted],
    progress: Progress,
    faults: dict[str, list[str]],
    known: dict[str, dict[str, results.Result]],
) -> list[str]:
    """One question of every batch of a group; the batches that it was answered for, whose results are known then.

    What cannot be answered is added to `faults`: {why: [which question of which batch]}.
    """
    answers, answered = [], []
    for item in published:
        stage = Stage.of_batch(keys, item.record.key, repository, "backfill", progress, known[item.record.key])
        try:
            digest = stage.input_digest(asset.thing, [asset.settings, asset.outside(stage)], asset.reads)
            if results.find(repository, stage.results_branch, asset.thing, digest, stage.folder) is None:
                answers.append((stage.made(asset.reads, asset.compute), digest))
                answered.append(item)
        except RaiError as fault:
            faults.setdefault(str(fault), []).append(f"{asset.thing} of {item.record.key}")
    _store(repository, keys, answers, answered, known)
    return [item.record.key for item in answered]


def _store(
    repository: VersionedRepository,
    keys: UseCaseKeys,
    found: Sequence[tuple[results.Result, str]],
    published: Sequence[Accepted],
    known: dict[str, dict[str, results.Result]],
) -> None:
    """Store the results of a group by one commit."""
    if not found:
        return
    changes = ChangeSet()
    for (result, digest), item in zip(found, published, strict=True):
        results.write(changes, result, digest, batch_folder(item.record.key))
        known[item.record.key][result.asset] = result
    branch = results_branch(PRODUCTION)
    ensure_branch(repository, branch)
    message = f"{found[0][0].asset} of {len(found):,} batches"
    try:
        repository.commit(branch, changes, message, {"run_id": "backfill", "use_case": keys.name})
    except NoChanges:
        return


def _show_keys(instance: Any, keys: UseCaseKeys, batches: Sequence[str]) -> None:
    present = set(instance.get_dynamic_partitions(keys.batch_partitions))
    instance.add_dynamic_partitions(keys.batch_partitions, [key for key in batches if key not in present])
