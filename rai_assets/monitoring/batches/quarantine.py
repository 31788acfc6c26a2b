"""What people accept of what waits in quarantine: a changed schema from now on, or one batch as it is."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rai_assets.data.contract import Contract
from rai_assets.errors import RaiError, UsageError, near_names
from rai_assets.keys import CHAMPION, PRODUCTION
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.batches.change import Change, changed, changes
from rai_assets.monitoring.batches.contracts import ContractVersion, dataset_json, path_of, versions
from rai_assets.monitoring.batches.entries import Entry
from rai_assets.monitoring.batches.overrides import Word
from rai_assets.monitoring.batches.production import Production
from rai_assets.monitoring.batches.rules import READABLE
from rai_assets.monitoring.batches.scoring import champion_of, lacking
from rai_assets.provenance import digest_of
from rai_assets.store.errors import StaleHead
from rai_assets.store.open import ensure_branch
from rai_assets.store.protocol import ChangeSet, VersionedRepository

_SCHEMA = frozenset({"columns", "dtypes", "allowed_values", "readable", "missing", "ranges"})
_NO_ROWS = frozenset({READABLE, "columns", "dtypes"})  # without these there are no rows that a model can score
_ATTEMPTS = 20  # while batches are published


@dataclass(frozen=True)
class Acceptance:
    """A new version of the contract.

    Attributes:
        version: The contract.
        differences: How it differs from the version before, in words.
        again: The batches in quarantine that are audited again.
        lacking: What the champion reads and batches of this contract do not have, in words: they cannot be scored.
    """

    version: ContractVersion
    differences: tuple[str, ...]
    again: tuple[str, ...]
    lacking: tuple[str, ...] = ()


def accept_contract(
    production: Production,
    repository: VersionedRepository,
    *,
    by: str,
    reason: str,
    batch: str | None = None,
    effective: datetime | None = None,
) -> Acceptance:
    """Make the schema of a batch in quarantine, or the declared one, the next version of the contract.

    Older batches keep theirs: a version is about batches from its effective time on. Batches in quarantine since then
    are audited again.

    Args:
        production: Of the use case.
        repository: Its repository.
        by: Who accepts.
        reason: Why.
        batch: A batch in quarantine; the first since the last version whose schema differs when left out.
        effective: From when it holds; the time of that batch when left out.

    Raises:
        UsageError: There is no reason, nothing differs, or the batch is older than the last version.
        InputRefused: The batch's files cannot be read at all.
    """
    if not reason.strip():
        raise UsageError("a contract is accepted for a reason", fix="--reason 'why, in a sentence'")
    ensure_branch(repository, PRODUCTION)
    with production.arrivals(repository) as arrivals:
        waiting = _waiting(repository, arrivals)
        for _ in range(_ATTEMPTS):
            head = repository.resolve(PRODUCTION)
            known = versions(repository, head) or [ContractVersion.declared(production.declared)]
            chosen, dataset, found = _next_schema(production, repository, known, _asked(waiting, batch, known[-1]))
            start = effective or (_time(chosen) if chosen else datetime.now(UTC))
            if known[-1].effective is not None:
                start = max(start, known[-1].effective)
            declaration = digest_of(dataset_json(production.declared))
            version = ContractVersion(known[-1].number + 1, start, by, reason.strip(), dataset, declaration)
            try:
                _publish(version, known, repository, production.keys.name, head)
            except StaleHead:
                continue
            again = tuple(record.key for record in waiting if _time(record) >= start)
            arrivals.ask_again(again, time.time())
            said = [change.sentence for change in found] or ["as it is declared now"]
            return Acceptance(version, tuple(said), again, tuple(_lacking(production, repository, version)))
    raise RaiError(f"branch {PRODUCTION!r} moved {_ATTEMPTS} times meanwhile", fix="run again")


def _next_schema(
    production: Production,
    repository: VersionedRepository,
    known: Sequence[ContractVersion],
    asked: Sequence[BatchRecord],
) -> tuple[BatchRecord | None, dict[str, object], list[Change]]:
    """The first of some batches that differs, the schema with it, and how it differs; refused where nothing does."""
    declared, last = dataset_json(production.declared), known[-1]
    # What was changed in the declaration since is part of it.
    before = last.declaration or digest_of(known[0].dataset)
    base = last.dataset if digest_of(declared) == before else declared
    for batch in asked:
        found = _changes(production, repository, base, batch)
        if (dataset := changed(base, found)) != last.dataset:
            return batch, dataset, found
    if not asked and base != last.dataset:
        return None, base, []
    raise UsageError(
        "nothing differs from the contract: columns, types and texts are as declared",
        where=production.keys.name,
        fix="where numbers beyond a range are meant, widen it in the declaration first (`minimum`, `maximum`); "
        f"`rai batches {production.keys.name}` tells why batches are in quarantine, and --batch KEY names one",
    )


def _lacking(production: Production, repository: VersionedRepository, version: ContractVersion) -> list[str]:
    if CHAMPION not in repository.branches(CHAMPION):
        return []
    champion = champion_of(repository, production.keys.name)
    return list(lacking(champion.version.features, Contract.of(version.settings(production.declared.files))).values())


def _publish(
    version: ContractVersion, known: Sequence[ContractVersion], repository: VersionedRepository, name: str, head: str
) -> None:
    """Commit a version; with the first, what was declared before it."""
    put = ChangeSet().put(path_of(version), version.as_bytes(), "application/json")
    if len(known) == 1:
        put.put(path_of(known[0]), known[0].as_bytes(), "application/json")
    words = {"by": version.by, "reason": version.reason, "use_case": name}
    repository.commit(PRODUCTION, put, f"Contract {version.number}: {version.reason}", words, expected_head=head)


def _waiting(repository: VersionedRepository, arrivals: Arrivals) -> list[BatchRecord]:
    """The batches in quarantine for their schema, the oldest first."""
    heads = repository.branches("run-")
    found = []
    for entry in arrivals.entries("quarantined"):
        if entry.branch in heads:
            record = BatchRecord.read(repository, heads[entry.branch], entry.key)
            if record is not None and _SCHEMA & {item["rule"] for item in record.findings if not item["passed"]}:
                found.append(record)
    return sorted(found, key=lambda record: (record.time, record.key))


def _asked(waiting: list[BatchRecord], batch: str | None, last: ContractVersion) -> list[BatchRecord]:
    """The batches whose schema the next version may have: none from before the last, as the next is about later ones.

    Raises:
        UsageError: The batch does not wait, or is from before.
    """
    since = [record for record in waiting if last.effective is None or _time(record) >= last.effective]
    if batch is None:
        return since
    found = [record for record in waiting if record.key == batch]
    if not found:
        there = ", ".join(record.key for record in waiting[:20]) or "none"
        raise UsageError(f"no batch {batch[:80]!r} is in quarantine for its schema", fix=f"there are: {there}")
    if found[0] not in since:
        raise UsageError(
            f"batch {batch!r} is older than contract {last.number}, and the next one would be about later batches only",
            fix="mend its file, so that it keeps the contract of its time, and write it again",
        )
    return found


def _time(record: BatchRecord) -> datetime:
    return datetime.fromisoformat(record.time)


def _changes(
    production: Production, repository: VersionedRepository, base: dict[str, object], record: BatchRecord
) -> list[Change]:
    asked = production.asked(record.key, record.sources, ())
    contract = ContractVersion(0, None, "", "", base)
    with repository.scratch() as folder:
        settings = asked.settings(contract, folder / "files")
        return changes(settings, folder / "files", asked.optional)


def let_pass(production: Production, repository: VersionedRepository, key: str, *, by: str, reason: str) -> Word:
    """Record a person's word on a batch in quarantine, and have it audited again, which publishes it.

    Args:
        production: Of the use case.
        repository: Its repository.
        key: The batch.
        by: Who lets it pass.
        reason: Why.

    Raises:
        UsageError: There is no reason or no such batch, it is not in quarantine, or it has no rows that can be scored.
        RaiError: The store or the ledger cannot be reached.
    """
    if not reason.strip():
        raise UsageError("a person lets a batch pass for a reason", fix="--reason 'why, in a sentence'")
    ensure_branch(repository, PRODUCTION)
    with production.arrivals(repository) as arrivals:
        entry = _in_quarantine(production, arrivals, key)
        record = _record(production, repository, entry)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        word = Word(key, record.digest, _rules(production, record), by, moment, reason.strip())
        content = json.dumps(word.as_json(), ensure_ascii=False, indent=1).encode()
        put = ChangeSet().put(word.path, content, "application/json")
        noted = {f"override_{name}": getattr(word, name) for name in ("by", "reason", "time")}
        message = f"{by} lets batch {key} pass: {word.reason}"
        repository.commit(PRODUCTION, put, message, {"use_case": production.keys.name, "batch": key, **noted})
        arrivals.ask_again([key], time.time())
    return word


def _in_quarantine(production: Production, arrivals: Arrivals, key: str) -> Entry:
    name = production.keys.name
    entry = arrivals.entry(key)
    if entry is None:
        there = [item.key for item in arrivals.entries("quarantined")]
        fix = near_names(key, there, "in quarantine are") if there else "no batch is in quarantine"
        raise UsageError(f"there is no batch {key[:80]!r}", where=name, fix=fix)
    if entry.state == "accepted":
        raise UsageError(
            f"nothing stands in the way of batch {key!r}: it is accepted",
            where=name,
            fix=f"`rai batches {name} --state quarantined` says which are not",
        )
    if entry.state == "pending":
        raise UsageError(
            f"batch {key!r} has no verdict yet", where=name, fix=f"wait for its audit; or now: rai backfill {name}"
        )
    return entry


def _record(production: Production, repository: VersionedRepository, entry: Entry) -> BatchRecord:
    """What the audit of a batch in quarantine found."""
    branch = entry.branch or ""
    record = None
    if branch in repository.branches(branch):
        record = BatchRecord.read(repository, repository.resolve(branch), entry.key)
    if record is None:
        raise UsageError(
            f"what was found of batch {entry.key!r} is kept no longer",
            where=production.keys.name,
            fix=f"have it audited again: rai backfill {production.keys.name}",
        )
    return record


def _rules(production: Production, record: BatchRecord) -> tuple[str, ...]:
    """The rules that refused a batch."""
    broken = {item["rule"]: item["sentence"] for item in record.findings if item["blocking"] and not item["passed"]}
    hindering = [rule for rule in broken if rule in _NO_ROWS]
    if hindering:
        raise UsageError(
            f"batch {record.key!r} has no rows that can be scored:\n{broken[hindering[0]]}",
            where=production.keys.name,
            fix="mend its file and write it again; or, if this is how the data will be: "
            f"rai contract accept {production.keys.name} --batch {record.key} --reason ...",
        )
    return tuple(broken)
