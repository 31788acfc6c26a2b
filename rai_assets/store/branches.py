"""Data branches and other refs of a use case, by the names that people give them."""

from __future__ import annotations

from rai_assets.errors import near_names
from rai_assets.keys import MAIN
from rai_assets.store.errors import NotFound
from rai_assets.store.names import reserved
from rai_assets.store.protocol import VersionedRepository


def data_branches(repository: VersionedRepository) -> dict[str, str]:
    """The data branches with the ids of their heads; `main` first."""
    heads = {name: head for name, head in repository.branches().items() if not reserved(name)}
    return {name: heads[name] for name in sorted(heads, key=lambda name: (name != MAIN, name))}


def check_data_branch(repository: VersionedRepository, use_case: str, name: str) -> None:
    """Make sure that there is a data branch.

    Raises:
        NotFound: There is none of that name; the fix names those that there are.
    """
    if reserved(name) or name not in repository.branches(name):
        there = list(data_branches(repository))
        raise NotFound(f"{use_case} has no data branch {name[:80]!r}", fix=near_names(name, there))


def delete_tag(repository: VersionedRepository, use_case: str, tag: str) -> None:
    """Delete a tag; the commit stays.

    Raises:
        NotFound: There is none; the fix names the tags.
    """
    there = repository.tags()
    if tag not in there:
        fix = near_names(tag, list(there)) if there else f"{use_case} has no tags"
        raise NotFound(f"there is no tag {tag[:80]!r}", where=use_case, fix=fix)
    repository.delete_tag(tag)


def resolve(repository: VersionedRepository, use_case: str, ref: str) -> str:
    """The id of the commit that a branch, a tag or the beginning of an id names.

    Raises:
        InvalidRef: It names no commit.
        NotFound: There is none; the fix names the branches and tags.
    """
    try:
        return repository.resolve(ref)
    except NotFound as fault:
        there = [*data_branches(repository), *repository.tags()]
        raise NotFound(fault.what, where=use_case, fix=near_names(ref, there)) from fault
