"""The numbers of audits and batches, read from the store: all of them, or those that fit."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from rai_assets.errors import UsageError, near_names
from rai_assets.keys import BATCHES, MAIN, PRODUCTION, batch_folder, results_branch
from rai_assets.metrics.number import Number
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.reading import repository_of, results_head

_OF_A_MODEL = {"splits", "model", "predictions", "explanations"}


def all_numbers(name: str, branch: str, *, has_model: bool) -> list[Number]:
    """Every number of the last audit of a data branch, with its address.

    Raises:
        RaiError: There is none, or a part of it was made from another model or other data than the rest.
    """
    repository = repository_of(name)
    commit = results_head(repository, name, branch)
    reported = _reported(repository, commit)
    numbers: list[Number] = []
    for asset in results.assets(repository, commit):
        if asset in _OF_A_MODEL and not has_model:
            continue  # left by a model that is no longer declared
        result = results.load(repository, commit, asset, parts=())
        results.refuse_outdated(repository, commit, result)
        same = repository.tree_digest(reported, f"{asset}/") == repository.tree_digest(commit, f"{asset}/")
        numbers += [number.addressed(name, reported if same else commit, asset) for number in result.numbers]
    return numbers


def batch_numbers(name: str, batch: str) -> list[Number]:
    """Every number that was found of a batch of production, with its address.

    Raises:
        UsageError: Nothing was found of such a batch.
    """
    repository = repository_of(name)
    commit = repository.branches().get(results_branch(PRODUCTION))
    folder = batch_folder(batch)
    assets = [] if commit is None else results.assets(repository, commit, folder)
    if commit is None or not assets:
        there = (
            []
            if commit is None
            else [item.path[len(BATCHES) : -1] for item in repository.list_objects(commit, BATCHES, delimiter="/")]
        )
        says = f"`rai batches {name}` says what became of each"
        fix = f"{near_names(batch, there)}; {says}" if there else says
        raise UsageError(f"nothing was found of a batch {batch[:80]!r}", where=name, fix=fix)
    return [number for asset in assets for number in results.addressed_numbers(repository, commit, folder + asset)]


def _reported(repository: VersionedRepository, commit: str) -> str:
    """The results commit that the stored report names, so that a number has one address there and here."""
    try:
        scorecard = results.load(repository, commit, "scorecard", parts=())
        return repository.resolve(scorecard.facts.get("results", commit))
    except NotFound:
        return commit


def select_numbers(
    declared: Declared,
    branch: str = MAIN,
    *,
    definition: str | None = None,
    by: Sequence[str] = (),
    split: str | None = None,
    batch: str | None = None,
) -> list[Number]:
    """The numbers that fit.

    Args:
        declared: The use case.
        branch: Data branch.
        definition: Shell pattern of definition ids; without `@` it is matched against the name.
        by: Columns; only numbers of their groups and gaps between these.
        split: Rows; the audited ones (test where there is a model, else all) when None.
        batch: A batch of production in the place of the data branch; all its rows where `split` is None.

    Raises:
        UsageError: Nothing fits; the message says what there is.
    """
    name = declared.use_case.name
    if batch is None and branch == PRODUCTION:
        raise UsageError(
            "the numbers of production stand batch by batch",
            where=name,
            fix=f"rai metrics {name} --batch KEY; `rai batches {name}` lists the keys",
        )
    has_model = declared.use_case.model is not None
    numbers = all_numbers(name, branch, has_model=has_model) if batch is None else batch_numbers(name, batch)
    audited = split or ("test" if has_model and batch is None else "all")
    splits = {number.split for number in numbers if number.split}
    if audited not in splits:
        fix = near_names(audited, sorted(splits), "splits:")
        raise UsageError(f"no number of {name} has the split {audited!r}", fix=fix)
    fitting = [
        number
        for number in numbers
        if number.split in (None, audited)
        and (definition is None or _matches(number.definition, definition))
        and (not by or set(_columns(number)) == set(by))
    ]
    if not fitting:
        raise UsageError(f"no number of {name} fits", fix=_what_there_is(numbers, definition, by))
    return fitting


def _matches(identifier: str, pattern: str) -> bool:
    return fnmatchcase(identifier if "@" in pattern else identifier.partition("@")[0], pattern)


def _columns(number: Number) -> list[str]:
    gap = number.coordinates.get("sensitive")
    return list(number.group) or (gap.split(",") if gap else [])


def _what_there_is(numbers: Sequence[Number], definition: str | None, by: Sequence[str]) -> str:
    defined = [number for number in numbers if definition is None or _matches(number.definition, definition)]
    if definition and not defined:
        name = definition.partition("@")[0]
        versions = sorted({number.definition for number in numbers if _matches(number.definition, name)})
        if versions:
            return f"there is {', '.join(versions[:5])}"
        known = sorted({number.definition.partition("@")[0] for number in numbers})
        near = get_close_matches(name.strip("*").casefold(), known, 5, 0.5)
        return f"did you mean {', '.join(near)}?" if near else "`rai metrics` without --definition shows what there is"
    groupings = sorted({",".join(_columns(number)) for number in defined if _columns(number)})
    if by and groupings:
        return near_names(",".join(by), groupings, "--by takes one of:", "  ")
    if by:
        return f"leave out --by: {definition or 'what is measured'} is not counted by groups"
    return "choose another --split, or leave it out"
