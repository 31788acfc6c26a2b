"""The ledger of verdicts on data, kept by what the data are and not by the commit that carries them.

An entry `ledger/<digest>.json` on `results-<data branch>` says of the data with this digest whether they keep their
contract, whether the blocking requirements hold of them, and whether a person let them pass. The digest is that of
everything under `dataset/`. Metadata of commits can be written by anybody; these branches are the product's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rai_assets.errors import RaiError
from rai_assets.keys import DATA_PREFIX, results_branch
from rai_assets.metrics.requirements import Outcome, Requirement
from rai_assets.provenance import digest_of
from rai_assets.store.errors import NotFound, StaleHead
from rai_assets.store.open import ensure_branch
from rai_assets.store.protocol import ChangeSet, VersionedRepository

Part = Literal["contract", "requirements", "override", "erasure"]
Entry = dict[str, dict[str, Any]]

DECLARED = "requirements_digest"
ATTEMPTS = 50  # while others write at the same time; each one lost is a change of theirs
_NO_DATA = hashlib.sha256().hexdigest()
_WORST_FIRST: tuple[Outcome, ...] = ("fail", "cannot tell", "pass")


@dataclass(frozen=True)
class Standing:
    """How a commit's data stand with the gate.

    Attributes:
        gated: True if they keep their contract, or a person let them pass; also where there are no data.
        mergeable: True if they may reach `main`: gated, and the blocking requirements hold or a person let them pass.
        contract: Whether they keep their contract; None if that was not checked.
        requirements: The verdict on the blocking requirements as they are declared now; None if they were not judged.
        override: Who let them pass (`by`), when (`time`, ISO, UTC), why (`reason`) and in spite of what (`of`); None
            where nobody did, or only in spite of requirements that have changed since.
        sentence: All this for people.
    """

    gated: bool
    mergeable: bool
    contract: bool | None
    requirements: Outcome | None
    override: Mapping[str, Any] | None
    sentence: str


def data_digest(repository: VersionedRepository, ref: str) -> str:
    """The digest by which the ledger knows the data of a commit.

    Raises:
        NotFound: There is no such ref.
    """
    return repository.tree_digest(ref, DATA_PREFIX)


def requirements_digest(requirements: Sequence[Requirement]) -> str:
    """SHA-256 (hex) over the requirements; a verdict counts for the requirements with this digest only."""
    return digest_of([repr(item) for item in requirements])


def record(
    repository: VersionedRepository,
    branch: str,
    digest: str,
    part: Part,
    verdict: Mapping[str, Any],
    **evidence: str,
) -> None:
    """Write a verdict on data into the ledger of a data branch.

    A verdict that stands there already keeps the evidence that it was first reached by.

    Args:
        repository: The use case's repository.
        branch: The data branch.
        digest: Of the data.
        part: What the verdict is on.
        verdict: What was found, as JSON.
        evidence: Where it was found: commits and runs.

    Raises:
        RaiError: Others write to the ledger without end.
    """
    target = results_branch(branch)
    ensure_branch(repository, target)
    for _ in range(ATTEMPTS):
        head = repository.resolve(target)
        entry = _read(repository, head, digest)
        if verdict.items() <= entry.get(part, {}).items():
            return
        entry[part] = {**verdict, **evidence}
        content = json.dumps(entry, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False).encode()
        changes = ChangeSet().put(_path(digest), content, "application/json")
        with suppress(StaleHead):
            repository.commit(target, changes, f"Ledger: {part} of data {digest[:12]}", evidence, expected_head=head)
            return
    raise RaiError(f"branch {target!r} moved {ATTEMPTS} times while a verdict was written to it", fix="run again")


def record_requirements(
    repository: VersionedRepository,
    branch: str,
    facts: Mapping[str, Any],
    requirements: Sequence[Requirement],
    *,
    scorecard: str,
    run_id: str,
) -> None:
    """Write the verdicts of a scorecard into the ledger.

    Args:
        repository: The use case's repository.
        branch: The audited data branch.
        facts: Of the scorecard: `data` (digest), `gate`, and `verdicts` with id, verdict, blocking and sentence.
        requirements: The declared requirements.
        scorecard: The results commit that holds the scorecard.
        run_id: The run that made or reused it.
    """
    failing = [
        f"{item['id']} ({item['verdict']}): {item['sentence']}"
        for item in facts["verdicts"]
        if item["blocking"] and item["verdict"] != "pass"
    ]
    verdict = {"gate": facts["gate"], "failing": failing, DECLARED: requirements_digest(requirements)}
    record(repository, branch, facts["data"], "requirements", verdict, scorecard=scorecard, run_id=run_id)


def copy_verdicts(
    repository: VersionedRepository, source: str, destination: str, digest: str, requirements: Sequence[Requirement]
) -> None:
    """Have a data branch's verdicts on data in the ledger of another too, so that they outlive their branch.

    Args:
        repository: The use case's repository.
        source: The data branch whose ledger has them.
        destination: The data branch whose ledger takes them.
        digest: Of the data.
        requirements: As they are declared now; what was said of others is left.
    """
    if results_branch(source) not in (heads := repository.branches(results_branch(source))):
        return
    entry, declared = _read(repository, heads[results_branch(source)], digest), requirements_digest(requirements)
    for part in get_args(Part):
        if part in entry and entry[part].get(DECLARED, declared) == declared:
            record(repository, destination, digest, part, entry[part])


def overrides(repository: VersionedRepository, digest: str, part: Part) -> bool:
    """Whether a person let data pass in spite of what was found of their contract, or of their requirements."""
    return any(part in entry["override"]["of"] for entry in _entries(repository, digest) if "override" in entry)


def standing(repository: VersionedRepository, commit: str, requirements: Sequence[Requirement]) -> Standing:
    """How the data of a commit stand with the gate, as far as any branch's ledger tells.

    What was merged, reverted or committed around the gate has data that no ledger knows: it is not gated. What a
    revert brings back exactly as it was audited stands as it stood.

    Args:
        repository: The use case's repository.
        commit: Any ref; by commit id the answer is about that commit for good.
        requirements: The requirements as they are declared now.

    Raises:
        NotFound: There is no such ref.
    """
    digest = data_digest(repository, commit)
    if digest == _NO_DATA:
        return Standing(True, False, None, None, None, "There are no data.")
    entries, declared = _entries(repository, digest), requirements_digest(requirements)
    held = [entry["contract"]["holds"] for entry in entries if "contract" in entry]
    contract = all(held) if held else None
    told = [entry["requirements"] for entry in entries if "requirements" in entry]
    told = [item for item in told if item[DECLARED] == declared]
    gates = {item["gate"] for item in told}
    verdict = next((outcome for outcome in _WORST_FIRST if outcome in gates), None)
    if not any(item.blocking for item in requirements):
        verdict = "pass"
    given = (_holding(entry["override"], declared) for entry in entries if "override" in entry)
    words = sorted((word for word in given if word["of"]), key=lambda item: str(item["time"]))
    passed = {part for word in words for part in word["of"]}
    gated = bool(contract) or "contract" in passed
    mergeable = gated and (verdict == "pass" or "requirements" in passed)
    override = words[-1] if words else None
    failing = dict.fromkeys(sentence for item in told for sentence in item["failing"])
    return Standing(gated, mergeable, contract, verdict, override, _sentence(contract, verdict, failing, override))


def _holding(word: Mapping[str, Any], declared: str) -> Mapping[str, Any]:
    """A person's word with what it is still about: of requirements, those that it was given for."""
    return {**word, "of": [part for part in word["of"] if part == "contract" or word[DECLARED] == declared]}


def _sentence(
    contract: bool | None, verdict: Outcome | None, failing: Iterable[str], override: Mapping[str, Any] | None
) -> str:
    if contract is None:
        told = "These data were not audited."
    elif not contract:
        told = "These data break their contract."
    elif verdict is None:
        told = "These data keep their contract; the requirements were not judged on them as they are declared now."
    elif verdict == "pass":
        told = "These data keep their contract, and every blocking requirement holds."
    else:
        told = "These data keep their contract, but not every blocking requirement: " + "; ".join(failing)
    if override is None:
        return told
    return f"{told} {override['by']} let them pass on {override['time']}: {override['reason']}"


def _entries(repository: VersionedRepository, digest: str) -> list[Entry]:
    """What each branch's ledger says of data, where it says something."""
    heads = dict.fromkeys(repository.branches(results_branch("")).values())
    return [entry for head in heads if (entry := _read(repository, head, digest))]


def _read(repository: VersionedRepository, commit: str, digest: str) -> Entry:
    try:
        with repository.open(commit, _path(digest)) as stream:
            return dict(json.load(stream))
    except NotFound:
        return {}


def _path(digest: str) -> str:
    return f"ledger/{digest}.json"
