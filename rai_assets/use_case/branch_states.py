"""How the data branches of a use case stand: newest commit, audit, verdict, gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rai_assets.errors import RaiError
from rai_assets.keys import CHAMPION, DATA_PREFIX, MAIN, results_branch
from rai_assets.progress import printable
from rai_assets.store import results
from rai_assets.store.branches import data_branches
from rai_assets.store.ledger import Standing, data_digest, standing
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.reading import NotRun, repository_of

_SHORT = 12  # digits of a commit id for people


@dataclass(frozen=True)
class BranchState:
    """A data branch and how it stands.

    Attributes:
        name: The branch.
        head: Id of its newest commit.
        audited: Whether its newest audit is of the data that it holds now.
        requirements: The verdict on the blocking requirements as they are declared now: `pass`, `fail`, `cannot tell`,
            `not judged` or `none declared`.
        standing: How its data stand with the gate.
    """

    name: str
    head: str
    audited: bool
    requirements: str
    standing: Standing

    def as_json(self) -> dict[str, Any]:
        """What `rai branch list --format json` prints."""
        return {
            "branch": self.name,
            "head": self.head,
            "audited": self.audited,
            "requirements": self.requirements,
            "gated": self.standing.gated,
            "override": self.standing.override and dict(self.standing.override),
            "sentence": self.standing.sentence,
        }

    @property
    def line(self) -> str:
        """One line for people."""
        audited = "audited" if self.audited else "not audited"
        parts = (self.name, self.head[:_SHORT], audited, f"requirements: {self.requirements}", f"head: {self._gated}")
        return printable("  ".join(parts))

    @property
    def _gated(self) -> str:
        word = self.standing.override
        if word is not None:
            return f"overridden ({', '.join(word['of'])}) by {word['by']} on {word['time'][:10]}: {word['reason']}"
        return "gated" if self.standing.gated else f"ungated. {self.standing.sentence}"


def states(declared: Declared) -> list[BranchState]:
    """Every data branch of a use case and how it stands, `main` first.

    Raises:
        RaiError: The use case has not been run here.
    """
    repository = repository_of(declared.use_case.name)
    known: dict[str, tuple[str, Standing]] = {}  # many branches begin at one commit
    found = []
    for name, head in data_branches(repository).items():
        if head not in known:
            known[head] = data_digest(repository, head), standing(repository, head, declared.requirements)
        digest, stands = known[head]
        found.append(BranchState(name, head, _audited(repository, name, digest), _verdict(declared, stands), stands))
    return found


def overview(declared: Sequence[Declared]) -> Iterator[str]:
    """A line for every use case and, under it, one for each of its data branches and schedules."""
    for item in declared:
        name = item.use_case.name
        try:
            repository = repository_of(name)
            found = states(item) if holds_data(repository, MAIN) else []
        except NotRun:
            found = []
        except RaiError as fault:
            yield f"{name}  cannot be read: {fault.what}  ({item.path})"
            continue
        if found:
            champion = "champion set" if CHAMPION in repository.branches(CHAMPION) else "no champion"
            yield f"{name}  {champion}  ({item.path})"
        else:
            yield f"{name}  not run yet  ({item.path})"
        yield from (f"  {state.line}" for state in found)
        yield from (f"  scheduled: {sentence}" for sentence in item.use_case.schedules.sentences())


def holds_data(repository: VersionedRepository, ref: str) -> bool:
    """Whether there is a data set in a commit.

    Raises:
        NotFound: There is no such ref.
    """
    return next(iter(repository.list_objects(ref, DATA_PREFIX)), None) is not None


def descends(repository: VersionedRepository, head: str, former: str) -> bool:
    """Whether a branch moved on to `head` from a former head, whose id may be shortened: then it is the same branch."""
    return any(commit.id.startswith(former) for commit in repository.log(head, first_parent=True))


def audited_digest(repository: VersionedRepository, branch: str) -> str | None:
    """Digest of the data that the newest stored result of a data branch was made from, or None."""
    with suppress(NotFound):
        result = results.load(repository, results_branch(branch), "dataset", parts=())
        return data_digest(repository, result.provenance.commit)
    return None


def _verdict(declared: Declared, stands: Standing) -> str:
    if not any(item.blocking for item in declared.requirements):
        return "none declared"
    return stands.requirements or "not judged"


def _audited(repository: VersionedRepository, branch: str, digest: str) -> bool:
    """Whether the branch's newest scorecard is of these data."""
    with suppress(NotFound):
        scorecard = results.load(repository, results_branch(branch), "scorecard", parts=())
        return bool(scorecard.facts.get("data") == digest)
    return False
