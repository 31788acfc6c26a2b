"""Erasing a person's rows from the heads of all branches, and saying what still holds them or was made from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from uuid import uuid4

from rai_assets.charts.text import how_many
from rai_assets.data.dataset import TABLE
from rai_assets.data.erasure import count_rows, erase_rows
from rai_assets.errors import UsageError
from rai_assets.home import home
from rai_assets.keys import BATCHES, CHAMPION, PRODUCTION, WAITING_LABELS, WINDOWS, batch_folder, results_branch
from rai_assets.monitoring.alerts.outbox import open_outbox
from rai_assets.monitoring.batches.batch import TABLE as BATCH_TABLE
from rai_assets.monitoring.batches.erasure import batches_of, drop, erase_from_batches, is_made_from, made_from
from rai_assets.monitoring.batches.label_store import erase_labels, labels_of_person
from rai_assets.monitoring.batches.labels import LABELS
from rai_assets.monitoring.batches.settings import BatchSettings
from rai_assets.store import results
from rai_assets.store.branches import data_branches
from rai_assets.store.errors import NotFound
from rai_assets.store.ledger import data_digest, record
from rai_assets.store.protocol import VersionedRepository
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.people import word
from rai_assets.use_case.publishing import contract_broken
from rai_assets.use_case.reading import repository_of

_BATCH, _LABELS = f"{PRODUCTION}, batch ", f"{PRODUCTION}, labels"
_ROW_BY_ROW = ("dataset", "splits", "predictions", "explanations")  # results that show single rows


def erase(declared: Declared, value: str, reason: str, *, dry_run: bool = False) -> Iterator[str]:
    """Erase a person's rows from every data branch and from production; say what was done and what is left to do.

    Every branch gets a commit without them; who, when, why and how many stand in the ledger, with a digest in the place
    of the identifier.

    Args:
        declared: The use case.
        value: The person's value of a column with role `identifier`.
        reason: Why, in a sentence.
        dry_run: Only tell.

    Raises:
        InputRefused: Without the rows a branch breaks its contract; nothing of that branch is changed.
        NotRun: The use case has no store.
        UsageError: No column has the role `identifier`, or there is no value or no reason.
    """
    name = declared.use_case.name
    identifiers = declared.use_case.dataset.with_role("identifier")
    if not identifiers:
        raise UsageError(
            f"no column of {name} says whose a row is",
            where=str(declared.path),
            fix="give that column `role: identifier` and bring the data again; rows without it cannot be told apart",
        )
    if not value or not reason.strip():
        raise UsageError(
            "a person's rows are erased for a reason", fix="--identifier VALUE --reason 'why, in a sentence'"
        )
    repository = repository_of(name)
    search = _Search(repository, identifiers, value)
    words = {
        "use_case": name,
        **word(reason),
        "identifier_sha256": hashlib.sha256(f"{name}:{value}".encode()).hexdigest(),
    }
    done, places = "would be erased" if dry_run else "erased", 0
    for place, rows in _tell(search).items() if dry_run else _erase(declared, search, words):
        yield f"{place}: {how_many(rows, 'row')} {done}"
        places += 1
    if not places:
        yield f"no row of that person is at the head of a branch of {name}"
    yield from _made_anew(search, name, words, dry_run=dry_run)
    if search.keys:
        yield (
            f"the names of the files that {how_many(len(search.keys), 'batch')} came from stay, and of those that rows "
            "named: in the records of the batches, in their results and in the ledger of arrivals, so that no file is "
            "taken again. Where a name says who it is of, that stays as well"
        )
    left = list(_left(search, name))
    yield from left
    if left or places:
        yield (
            "not looked at: the declared files, the inbox, the bytes that are kept of its files until their batches "
            "are accepted, batches in quarantine, backups, other stores"
        )


@dataclass
class _Search:
    """Where a person's rows are; every stored table is read once."""

    repository: VersionedRepository
    identifiers: list[str]
    value: str
    known: dict[str, int] = field(default_factory=dict)

    def rows(self, commit: str, path: str = TABLE) -> int:
        """How many rows of a table are the person's; none where there is no table."""
        try:
            digest = self.repository.stat(commit, path).sha256
        except NotFound:
            return 0
        if digest not in self.known:
            with self.repository.open(commit, path) as stream:
                self.known[digest] = count_rows(stream, self.identifiers, self.value)
        return self.known[digest]

    def batches(self, commit: str) -> dict[str, int]:
        """{batch: how many of its rows are the person's} in a commit."""
        return dict(batches_of(self.repository, commit, self.identifiers, self.value))

    @cached_property
    def brought(self) -> dict[str, list[str]]:
        """{commit of production that brought rows or labels of the person: the batches whose rows}, newest first."""
        repository, found = self.repository, {}
        if PRODUCTION not in repository.branches(PRODUCTION):
            return {}
        for commit in repository.log(PRODUCTION, prefixes=[BATCHES, WAITING_LABELS]):
            if commit.parents:
                changes = repository.diff(commit.parents[0], commit.id, two_dot=True)
                paths = [item.path for item in changes if item.after is not None and _has_persons(item.path)]
                mine = [path for path in paths if self.rows(commit.id, path)]
                if mine:
                    found[commit.id] = [path.split("/")[1] for path in mine if path.endswith(f"/{BATCH_TABLE}")]
        return found

    @property
    def keys(self) -> set[str]:
        """The batches that have, or had, rows of the person."""
        return {key for keys in self.brought.values() for key in keys}


def _has_persons(path: str) -> bool:
    """Whether an object of `production` is a table with identifiers."""
    return path.endswith((f"/{BATCH_TABLE}", f"/{LABELS}")) or path.startswith(WAITING_LABELS)


def _tell(search: _Search) -> dict[str, int]:
    repository = search.repository
    found = {branch: search.rows(head) for branch, head in data_branches(repository).items()}
    if PRODUCTION in repository.branches(PRODUCTION):
        found |= {f"{_BATCH}{key}": rows for key, rows in search.batches(PRODUCTION).items()}
        labels = labels_of_person(repository, repository.resolve(PRODUCTION), search.identifiers, search.value)
        found[_LABELS] = sum(mine.true_count for mine in labels.values())
    return {place: rows for place, rows in found.items() if rows}


def _erase(declared: Declared, search: _Search, words: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Where how many rows were erased, told as soon as they are."""
    repository = search.repository
    for branch, head in data_branches(repository).items():
        rows = search.rows(head)
        if not rows:
            continue
        run_id = str(uuid4())
        settings = declared.use_case.dataset
        given = {**words, "run_id": run_id}
        ingested = erase_rows(settings, repository, branch, search.value, run_id=run_id, words=given)
        if not ingested.accepted:
            raise contract_broken([rule.sentence for rule in ingested.rules if not rule.passed], ingested.branch)
        digest = data_digest(repository, ingested.commit)
        record(repository, branch, digest, "erasure", {"rows": rows, **words}, commit=ingested.commit)
        yield branch, rows
    if PRODUCTION in repository.branches(PRODUCTION):
        labels = erase_labels(repository, search.identifiers, search.value, words)
        rule = BatchSettings() if declared.use_case.production is None else declared.use_case.production.batch
        media = declared.use_case.dataset.media
        names = None if media is None else media.path
        of_batches = erase_from_batches(repository, search.identifiers, search.value, rule, words, names)
        if of_batches:
            digest = repository.tree_digest(PRODUCTION, BATCHES)
            verdict = {"rows": sum(of_batches.values()), **words}
            record(repository, PRODUCTION, digest, "erasure", verdict, commit=repository.resolve(PRODUCTION))
        yield from ((f"{_BATCH}{key}", rows) for key, rows in of_batches.items())
        if labels:
            yield _LABELS, labels


def _made_anew(search: _Search, name: str, words: Mapping[str, str], *, dry_run: bool) -> Iterator[str]:
    """Drop what was made from the person's rows in production and can be made without them; say so."""
    repository, done = search.repository, "would be dropped" if dry_run else "is dropped"
    branch = results_branch(PRODUCTION)
    heads = repository.branches(branch)
    made = made_from(repository, heads[branch], search.keys, search.rows) if branch in heads and search.keys else []
    if not dry_run and made:
        drop(repository, made, words)
    if batches := [folder for folder in made if folder.startswith(BATCHES)]:
        number = how_many(len(batches), "batch")
        yield f"what was found of {number} {done}, predictions and profiles too; `rai backfill {name}` makes it again"
    for window in (folder.strip("/").rpartition("/")[2] for folder in made if not folder.startswith(BATCHES)):
        job = f"the job {name}_monitoring_report makes it again"
        yield f"the report on {window}, with the profile of that time, {done}; {job}"
    if not dry_run and (told := open_outbox(home()).erase(name, search.keys)):
        yield f"{how_many(told, 'alert')} about these batches: the text is removed here; its receivers have it"


def _left(search: _Search, name: str) -> Iterator[str]:
    """What still holds the rows or was made from them, and what to do about it."""
    repository, held = search.repository, set()
    branches = repository.branches()
    results_of = results_branch("")
    for branch in branches:
        if branch.startswith(results_of) or branch in (CHAMPION, PRODUCTION):
            continue
        commits = [commit.id for commit in repository.log(branch) if search.rows(commit.id)]
        held.update(commits)
        if commits:
            holding = how_many(len(commits), "commit holds", "commits hold")
            yield f"history of {branch}: {holding} them, the newest {commits[0][:12]}"
    if PRODUCTION in branches:
        if commits := list(search.brought):
            bringing = how_many(len(commits), "commit")
            yield f"history of {PRODUCTION}: brought by {bringing}, the newest {commits[0][:12]}"
        if made := list(_history_of_results(search)):
            holding = how_many(len(made), "commit holds", "commits hold")
            what = "what was found of batches with them, or of times with these batches"
            yield f"history of {results_of}{PRODUCTION}: {holding} {what}, the newest {made[0][:12]}"
    for tag, commit in repository.tags().items():
        if search.rows(commit):
            held.add(commit)
            yield f"tag {tag} holds them (`rai tag delete {name} {tag}`)"
    for branch in branches:
        if branch.startswith(results_of):
            made = [asset for asset in _made(repository, branch, held) if asset in (*_ROW_BY_ROW, "model")]
            if made:
                data = branch.removeprefix(results_of)
                again = f"`rai run {name} --branch {data}` makes them anew"
                yield f"{branch}: {', '.join(made)} were made from them; {again}"
    if CHAMPION in branches and _made(repository, CHAMPION, held):
        yield f"the champion learned from data that hold them: `rai run {name}` makes a challenger without them"
    if held or search.brought:
        yield (
            "Dagster's records may show single rows of old data; `rai retention` deletes old runs. "
            "`rai gc` removes the contents only when no branch and no tag leads to these commits any more"
        )


def _history_of_results(search: _Search) -> Iterator[str]:
    """The commits that brought results of batches or windows which were made from the rows, newest first."""
    repository, branch, keys = search.repository, results_branch(PRODUCTION), search.keys
    if branch not in repository.branches(branch) or not keys:
        return
    folders = {batch_folder(key) for key in keys}
    for commit in repository.log(branch, prefixes=[*sorted(folders), WINDOWS]):
        changes = repository.diff(commit.parents[0], commit.id, two_dot=True) if commit.parents else ()
        written = {"/".join(item.path.split("/")[:2]) + "/" for item in changes if item.after is not None}
        touched = sorted(folder for folder in written if folder in folders or folder.startswith(WINDOWS))
        if any(is_made_from(repository, commit.id, folder, keys, search.rows) for folder in touched):
            yield commit.id


def _made(repository: VersionedRepository, branch: str, held: set[str]) -> list[str]:
    """The assets whose result at the head of a branch was made from one of these commits."""
    found = []
    for asset in results.assets(repository, branch):
        with suppress(NotFound):
            if results.load(repository, branch, asset, parts=()).provenance.commit in held:
                found.append(asset)
    return found
