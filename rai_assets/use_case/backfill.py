"""A backfill: the batches of a range are audited and answered in this process, in groups, and shown in Dagster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rai_assets.charts.text import how_many
from rai_assets.errors import RaiError, UsageError
from rai_assets.home import home, prepare
from rai_assets.keys import PRODUCTION, UseCaseKeys, batch_folder, results_branch
from rai_assets.monitoring.batches.accept import Accepted
from rai_assets.monitoring.batches.answered import Answered
from rai_assets.monitoring.batches.backfill import (
    Backfilled,
    audit_together,
    holding,
    in_range,
    take_everything,
    take_labels,
)
from rai_assets.monitoring.batches.batch import TABLE
from rai_assets.monitoring.batches.production import Production
from rai_assets.monitoring.batches.rules import rule_descriptions
from rai_assets.monitoring.batches.summary import batch_result
from rai_assets.progress import Progress
from rai_assets.store import results
from rai_assets.store.changes import ChangeSet
from rai_assets.store.errors import NoChanges, NotFound
from rai_assets.store.open import ensure_branch, open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets.store.stage import Stage
from rai_assets.use_case.batches import production_of
from rai_assets.use_case.declaration import Declared

if TYPE_CHECKING:
    from rai_assets.store.assets import ResultAsset
    from rai_assets.use_case.recording import Told

_RESULTS = results_branch(PRODUCTION)
_Known = dict[str, dict[str, results.Result]]  # {batch: {asset: its result}}


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
    _check_range(start, end)
    prepare()
    import dagster as dg

    from rai_assets.use_case.alerting import tell_over
    from rai_assets.use_case.graph import questions
    from rai_assets.use_case.recording import recording

    repository = open_repository(home(), production.keys.repository)
    answering = _Answering(production, repository, questions(declared), progress, again)
    with (
        dg.DagsterInstance.get() as instance,
        production.arrivals(repository) as arrivals,
        recording(instance, production.keys, home()) as run,
    ):
        done = Backfilled()
        for problems, waiting in (
            take_everything(production, arrivals, progress),
            take_labels(production, repository, progress),
        ):
            done.problems += problems
            done.waiting += waiting
        every = in_range(production, arrivals, start, end)
        answered = Answered(arrivals, repository, [asset.thing for asset in answering.assets])
        noted = answered.keys()
        asked = [item for item in every if again or item.key not in noted or item.key in answering.labelled]
        done.present += len(every) - len(asked)
        keys = [item.key for item in asked]
        ours: set[str] = set()
        with production.label_inbox.arrivals() as labels, holding((arrivals, labels), keys) as hold:
            for group in audit_together(production, repository, arrivals, asked, progress):
                found = done.add(group)
                ours |= {item.commit for item in found}
                published = answering.wanted(found, done)
                production.label_inbox.join(repository, [item.record.key for item in published], {"run_id": "backfill"})
                _show_keys(instance, production.keys, [item.record.key for item in found])
                told = answering.answer(published, [item for item in found if not item.published])
                run.tell(told)
                tell_over(declared, told, run.run_id)
                hold()
        answered.note(noted.difference(keys) | answering.whole, ours)
        production.tidy(arrivals)
    done.problems += answering.problems
    return done


def _check_range(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and start >= end:
        raise UsageError(
            f"no time lies from {start:%Y-%m-%d %H:%M} on and before {end:%Y-%m-%d %H:%M}",
            where="--from, --to",
            fix="name an earlier --from or a later --to; batches of --to itself are not part of the range",
        )


@dataclass(frozen=True)
class _Answer:
    """What was found of a batch, and the digest of what it was made from."""

    key: str
    result: results.Result
    digest: str


@dataclass
class _Answering:
    """Asks every question of the batches of a use case, group by group.

    Attributes:
        production: Of the use case.
        repository: Its repository.
        assets: The questions.
        progress: Told how far it is.
        again: Also of batches that are there already.
        faults: What could not be answered, {why: [which question of which batch]}.
        whole: The batches that have every answer.
        open: Those that a question could not be answered of.
    """

    production: Production
    repository: VersionedRepository
    assets: Sequence[ResultAsset]
    progress: Progress
    again: bool
    faults: dict[str, list[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)

    def wanted(self, found: Sequence[Accepted], done: Backfilled) -> list[Accepted]:
        """The batches that are asked about; of those whose rows were removed, `done` is told."""
        published = [item for item in found if item.published]
        asked = [item for item in published if item.changed or self.again or self._lacks(item)]
        self.whole |= {item.record.key for item in published} - {item.record.key for item in asked}
        there = [item for item in asked if item.changed or self._has_rows(item)]
        done.problems += [
            f"{item.record.key}: its rows were removed (`rai retention`); what was found of it stays as it is"
            for item in asked
            if self.again and item not in there
        ]
        return there

    def answer(self, published: Sequence[Accepted], refused: Sequence[Accepted]) -> list[Told]:
        """Ask every question of the published batches of a group; returns what Dagster is told of the group."""
        known: _Known = {item.record.key: {} for item in published}
        there = [_Answer(item.record.key, *batch_result(self.production.keys, item)) for item in published]
        self._store(there, known)
        made: dict[str, list[str]] = {asset.thing: [] for asset in self.assets}
        for together in _in_turn(self.assets):
            for answer in self._ask(together, published, known):
                made[answer.result.asset].append(answer.key)
        self.whole |= known.keys() - self.open
        audited = [item for item in (*published, *refused) if item.changed or self.again]
        return [*self._audited(audited, known), *self._answered(made, known)]

    @property
    def problems(self) -> list[str]:
        """What could not be answered, a sentence for each cause."""
        return [
            f"{asked[0]}{f' and {len(asked) - 1:,} more' if len(asked) > 1 else ''}: {fault}"
            for fault, asked in self.faults.items()
        ]

    def _lacks(self, item: Accepted) -> bool:
        """Whether a batch that was there has new labels, or lacks an answer."""
        key, before = item.record.key, self._answered_at
        if key in self.labelled or before is None:
            return True
        return not {asset.thing for asset in self.assets} <= set(
            results.assets(self.repository, before, batch_folder(key))
        )

    @cached_property
    def labelled(self) -> set[str]:
        """The batches that labels came for."""
        with self.production.label_inbox.arrivals() as labels:
            return {entry.key for entry in labels.entries("pending")}

    @cached_property
    def _answered_at(self) -> str | None:
        """The commit that answers are looked up in; None before the first answer."""
        return self.repository.branches(_RESULTS).get(_RESULTS)

    def _ask(self, assets: Sequence[ResultAsset], published: Sequence[Accepted], known: _Known) -> list[_Answer]:
        """Some questions of every batch of a group; those that were answered, whose results are known then.

        What cannot be answered is added to `faults`: {why: [which question of which batch]}.
        """
        answers = []
        more = f" and {len(assets) - 1} more" if len(assets) > 1 else ""
        for at, item in enumerate(published):
            self.progress(f"batches asked for {assets[0].thing}{more}", at, len(published))
            key = item.record.key
            stage = Stage.of_batch(
                self.production.keys, key, self.repository, "backfill", self.progress.of(key), known[key]
            )
            for asset in assets:
                try:
                    digest = stage.input_digest(asset.thing, [asset.settings, asset.outside(stage)], asset.reads)
                    if results.find(self.repository, stage.results_commit, asset.thing, digest, stage.folder) is None:
                        answers.append(_Answer(key, stage.made(asset.reads, asset.compute), digest))
                except RaiError as fault:
                    self.open.add(key)
                    self.faults.setdefault(str(fault), []).append(f"{asset.thing} of {key}")
        self._store(answers, known)
        return answers

    def _store(self, found: Sequence[_Answer], known: _Known) -> None:
        """Store the results of a group by one commit."""
        if not found:
            return
        changes = ChangeSet()
        for item in found:
            results.write(changes, item.result, item.digest, batch_folder(item.key))
            known[item.key][item.result.asset] = item.result
        ensure_branch(self.repository, _RESULTS)
        things = ", ".join(dict.fromkeys(item.result.asset for item in found))
        message = f"{things} of {how_many(len({item.key for item in found}), 'batch')}"
        try:
            self.repository.commit(
                _RESULTS, changes, message, {"run_id": "backfill", "use_case": self.production.keys.name}
            )
        except NoChanges:
            return

    def _has_rows(self, item: Accepted) -> bool:
        try:
            self.repository.stat(item.commit, batch_folder(item.record.key) + TABLE)
        except NotFound:
            return False
        return True

    def _audited(self, found: Sequence[Accepted], known: _Known) -> Iterator[Told]:
        """What Dagster is told of the batches themselves; of those in quarantine what their checks found."""
        from rai_assets.monitoring.batches.assets import check_results, present_batch
        from rai_assets.use_case.recording import Told

        checks = list(rule_descriptions(self.production.dataset))
        commit = self.repository.resolve(_RESULTS) if known else ""
        for item in found:
            key = item.record.key
            made = _metadata(present_batch(known[key]["batch"]), commit, key) if item.published else None
            yield Told("batch", key, list(check_results(item, checks)), made)

    def _answered(self, made: Mapping[str, Sequence[str]], known: _Known) -> Iterator[Told]:
        """What Dagster is told of the questions that were answered: {asset: batches}."""
        from rai_assets.store.assets import answered, requirement_results
        from rai_assets.use_case.recording import Told

        commit = self.repository.resolve(_RESULTS) if known else ""
        for asset in self.assets:
            for key in made[asset.thing]:
                result = known[key][asset.thing]
                shown = _metadata(asset.present(result), commit, key)
                judged = requirement_results(result, asset.requirements, unknown_passes=True)
                yield Told(asset.thing, key, [*judged, *answered(result, asset.checks)], shown)


def _in_turn(assets: Sequence[ResultAsset]) -> Iterator[list[ResultAsset]]:
    """Questions that are asked of a batch together: each reads only what was answered in a turn before."""
    waiting = list(assets)
    while waiting:
        unanswered = {asset.thing for asset in waiting}
        together = [asset for asset in waiting if not unanswered & set(asset.reads)]
        yield together
        waiting = [asset for asset in waiting if asset not in together]


def _metadata(present: Mapping[str, Any], commit: str, key: str) -> dict[str, Any]:
    return {**present, "results_commit": commit, "results_folder": batch_folder(key), "backfill": True}


def _show_keys(instance: Any, keys: UseCaseKeys, batches: Sequence[str]) -> None:
    present = set(instance.get_dynamic_partitions(keys.batch_partitions))
    instance.add_dynamic_partitions(keys.batch_partitions, [key for key in batches if key not in present])
