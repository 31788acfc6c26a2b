"""What differs between two refs: every object; the tables by columns, contract, rows and distributions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rai_assets.store.branches import resolve
from rai_assets.store.protocol import Change, NotFound, VersionedRepository
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.reading import repository_of

if TYPE_CHECKING:
    from rai_assets.data.difference import Difference


@dataclass(frozen=True)
class RefDifference:
    """Two refs of a use case, compared.

    Attributes:
        before: Id of the first ref's commit.
        after: Id of the second's.
        objects: What differs, object by object.
        conflicts: Paths that both sides changed: merging the second into the first would have to choose.
        table: How the tables differ; None where not both have one.
    """

    before: str
    after: str
    objects: tuple[Change, ...]
    conflicts: tuple[str, ...]
    table: Difference | None

    def as_json(self) -> dict[str, Any]:
        """What `rai diff --format json` prints."""
        objects = [
            {
                "path": change.path,
                "kind": change.kind,
                **{side: None if info is None else {"size": info.size, "sha256": info.sha256} for side, info in sides},
            }
            for change in self.objects
            for sides in [(("before", change.before), ("after", change.after))]
        ]
        table = None if self.table is None else self.table.as_json()
        conflicts = list(self.conflicts)
        return {"before": self.before, "after": self.after, "objects": objects, "conflicts": conflicts, "table": table}


def diff(declared: Declared, before: str, after: str, tell: Callable[[str, int, int], None]) -> RefDifference:
    """Compare two refs as they are: every object, and the data set's table by columns, rows and distributions.

    Args:
        declared: The use case.
        before: A branch, tag or commit.
        after: Another.
        tell: Told (what, rows read, rows in all).

    Raises:
        NotFound: There is no such ref.
    """
    repository = repository_of(declared.use_case.name)
    old, new = (resolve(repository, declared.use_case.name, ref) for ref in (before, after))
    objects = tuple(repository.diff(old, new, two_dot=True))
    conflicts = tuple(change.path for change in repository.diff(old, new) if change.kind == "conflict")
    return RefDifference(old, new, objects, conflicts, _table_difference(repository, old, new, tell))


def _table_difference(
    repository: VersionedRepository, old: str, new: str, tell: Callable[[str, int, int], None]
) -> Difference | None:
    from rai_assets.data.dataset import CONTRACT, TABLE, Dataset
    from rai_assets.data.difference import Version, compare

    try:
        for commit in (old, new):
            for path in (TABLE, CONTRACT):
                repository.stat(commit, path)
    except NotFound:
        return None
    sides = [Dataset(repository, commit) for commit in (old, new)]
    before, after = (Version(side.contract, side.batches) for side in sides)
    return compare(before, after, lambda rows: tell("rows compared", rows, 0))
