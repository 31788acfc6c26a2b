"""The gate before a data branch: only data that stand in the ledger are merged, and only as they were audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from rai_assets.errors import RaiError, UsageError
from rai_assets.keys import MAIN
from rai_assets.metrics.requirements import Requirement
from rai_assets.store import refusals
from rai_assets.store.errors import MergeConflict, NoChanges, StaleHead
from rai_assets.store.ledger import ATTEMPTS, Standing, copy_verdicts, data_digest, standing
from rai_assets.store.protocol import Commit, Strategy, VersionedRepository

_OTHER_SIDE: dict[Strategy | None, Strategy | None] = {
    None: None,
    "source-wins": "dest-wins",
    "dest-wins": "source-wins",
}


class GateRefused(RaiError):
    """The data may not pass the gate; nothing is changed. Ends a command as a requirement that does not hold does."""

    exit_code = 1


def merge_data(
    repository: VersionedRepository,
    source: str,
    destination: str,
    requirements: Sequence[Requirement],
    *,
    run_id: str,
    use_case: str,
    audit: Callable[[str], object] = lambda _: None,
    message: str = "",
    metadata: Mapping[str, str] | None = None,
    strategy: Strategy | None = None,
) -> Commit:
    """Merge a data branch into another, if what comes of it may stand there.

    The destination is merged into a run branch of the source first; *that* commit has to stand in the ledger, and it
    is merged only while the destination's head is still its parent, else once more. A merge moves no data.

    Args:
        repository: The use case's repository.
        source: The data branch to merge.
        destination: The data branch that moves. `main` also wants the blocking requirements.
        requirements: The requirements as they are declared now.
        run_id: Names the branch `run-<run_id>`, which is gone afterwards.
        use_case: Its name, for the commands in refusals.
        audit: Told a commit whose data no ledger knows; checks their contract and writes the verdict there.
        message: Of the merge.
        metadata: Kept with the merge.
        strategy: Which side wins an object changed on both; without one that is a conflict.

    Returns:
        The destination's new head.

    Raises:
        GateRefused: The data may not stand there.
        MergeConflict: Both sides changed the same paths.
        NoChanges: The source has nothing that the destination has not.
        NotFound: There is no such branch.
        RaiError: The destination moved at every attempt.
        UsageError: Source and destination are the same branch.
    """
    if source == destination:
        raise UsageError(f"{source!r} cannot be merged into itself", where=use_case, fix="name two branches")
    work = f"run-{run_id}"
    repository.create_branch(work, source)
    try:
        for attempt in range(ATTEMPTS):
            head = repository.resolve(destination)
            candidate = _united(repository, work, head, source, destination, use_case, _OTHER_SIDE[strategy])
            there = next(iter(repository.diff(head, candidate)), None) is None
            if there and not attempt:
                raise refusals.nothing_to_merge(source, destination, use_case)
            found = standing(repository, candidate, requirements)
            if found.contract is None and not found.gated:
                audit(candidate)
                found = standing(repository, candidate, requirements)
            if not (found.mergeable if destination == MAIN else found.gated):
                same = data_digest(repository, candidate) == data_digest(repository, source)
                done = f" It is there, though, as {head[:12]}: {destination!r} moved meanwhile." if there else ""
                raise GateRefused(
                    f"{source!r} may not be merged into {destination!r}. {found.sentence}{done}",
                    where=use_case,
                    fix=_fix(found, use_case, source, "" if same else destination),
                )
            # Before the merge: its head is never seen without its verdicts.
            copy_verdicts(repository, source, destination, data_digest(repository, candidate), requirements)
            if there:  # merged by the attempt before, on a head that had just moved; a server has no lock of ours
                return repository.get_commit(head)
            message = message or f"Merge {source!r} into {destination!r}"
            with suppress(StaleHead):
                return repository.merge(work, destination, message, metadata, expected_head=head).commit
    finally:
        repository.delete_branch(work)
    raise RaiError(f"branch {destination!r} moved {ATTEMPTS} times while merging", where=use_case, fix="merge again")


def _united(
    repository: VersionedRepository,
    work: str,
    head: str,
    source: str,
    destination: str,
    use_case: str,
    strategy: Strategy | None,
) -> str:
    """The commit that the destination would get: the source with the destination's head merged into it."""
    try:
        with suppress(NoChanges):
            repository.merge(head, work, f"{destination} brought in", strategy=strategy)
    except MergeConflict as conflict:
        raise MergeConflict(
            conflict.paths,
            where=use_case,
            fix=f"say which side wins, or bring the data that you want to {source!r}: "
            f"`rai ingest {use_case} FILE --branch {source}`",
        ) from conflict
    return repository.resolve(work)


def _fix(found: Standing, use_case: str, source: str, to_merge_first: str) -> str:
    """What to do about data that may not pass."""
    run = f"`rai run {use_case} --branch {source}`"
    if found.contract is False:
        return f"mend the data, `rai ingest {use_case} FILE --branch {source}`, then {run}, then merge again"
    if found.contract is None or found.requirements is None:
        first = f"`rai merge {use_case} {to_merge_first} {source}`, then " if to_merge_first else ""
        return f"{first}{run}, then merge again"
    return (
        f"mitigate until {run} ends with Requirements: pass, then merge again; or answer for it by name: "
        f"`rai publish {use_case} --branch {source} --reason …`"
    )
