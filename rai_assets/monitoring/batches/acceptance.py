"""Accepting a changed schema: the next version of the contract, and the batches that waited for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from rai_assets.errors import RaiError, UsageError
from rai_assets.keys import PRODUCTION
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.audit import Production
from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.monitoring.batches.change import Change, changed, changes
from rai_assets.monitoring.batches.contracts import ContractVersion, dataset_json, path_of, version_for, versions
from rai_assets.store.errors import StaleHead
from rai_assets.store.open import ensure_branch
from rai_assets.store.protocol import ChangeSet, VersionedRepository

_SCHEMA = frozenset({"columns", "dtypes", "allowed_values", "readable", "missing", "ranges"})
_ATTEMPTS = 20  # while batches are published


@dataclass(frozen=True)
class Acceptance:
    """A new version of the contract.

    Attributes:
        version: The contract.
        differences: How it differs from the version before, in words.
        again: The batches in quarantine that are audited again.
    """

    version: ContractVersion
    differences: tuple[str, ...]
    again: tuple[str, ...]


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
        batch: A batch in quarantine; the first whose schema differs when left out.
        effective: From when it holds; the time of that batch when left out.

    Raises:
        UsageError: There is no reason, or nothing differs.
        InputRefused: The batch's files cannot be read at all.
    """
    if not reason.strip():
        raise UsageError("a contract is accepted for a reason", fix="--reason 'why, in a sentence'")
    ensure_branch(repository, PRODUCTION)
    declared = dataset_json(production.declared)
    with production.arrivals(repository) as arrivals:
        waiting = _waiting(repository, arrivals)
        chosen = _chosen(waiting, batch)
        for _ in range(_ATTEMPTS):
            head = repository.resolve(PRODUCTION)
            known = versions(repository, head) or [ContractVersion.declared(production.declared)]
            former = version_for(known, datetime.fromisoformat(chosen.time)) if chosen else known[-1]
            # What was changed in the declaration since is part of it.
            base = declared if declared != known[0].dataset else former.dataset
            found = [] if chosen is None else _changes(production, repository, base, chosen)
            dataset = changed(base, found)
            if dataset == known[-1].dataset:
                raise UsageError(
                    "nothing differs from the contract",
                    where=production.keys.name,
                    fix="`rai batches NAME` tells why batches are in quarantine; --batch KEY names one",
                )
            start = effective or (datetime.fromisoformat(chosen.time) if chosen else datetime.now(UTC))
            if known[-1].effective is not None:
                start = max(start, known[-1].effective)
            version = ContractVersion(known[-1].number + 1, start, by, reason.strip(), dataset)
            put = ChangeSet().put(path_of(version), version.as_bytes(), "application/json")
            if len(known) == 1:
                put.put(path_of(known[0]), known[0].as_bytes(), "application/json")
            try:
                words = {"by": by, "reason": version.reason, "use_case": production.keys.name}
                message = f"Contract {version.number}: {version.reason}"
                repository.commit(PRODUCTION, put, message, words, expected_head=head)
            except StaleHead:
                continue
            again = tuple(record.key for record in waiting if datetime.fromisoformat(record.time) >= start)
            arrivals.ask_again(again, time.time())
            said = [change.sentence for change in found] or ["as it is declared now"]
            return Acceptance(version, tuple(said), again)
    raise RaiError(f"branch {PRODUCTION!r} moved {_ATTEMPTS} times meanwhile", fix="run again")


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


def _chosen(waiting: list[BatchRecord], batch: str | None) -> BatchRecord | None:
    if batch is None:
        return waiting[0] if waiting else None
    found = [record for record in waiting if record.key == batch]
    if not found:
        there = ", ".join(record.key for record in waiting[:20]) or "none"
        raise UsageError(f"no batch {batch[:80]!r} is in quarantine for its schema", fix=f"there are: {there}")
    return found[0]


def _changes(
    production: Production, repository: VersionedRepository, base: dict[str, object], record: BatchRecord
) -> list[Change]:
    asked = production.asked(record.key, record.sources, ())
    contract = ContractVersion(0, None, "", "", base)
    with repository.scratch() as folder:
        settings = asked.settings(contract, folder / "files")
        return changes(settings, folder / "files", asked.optional)
