"""Data branches as people work with them: made, read, taken back, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from uuid import uuid4

from rai_assets.errors import RaiError, UsageError
from rai_assets.home import home
from rai_assets.keys import CHAMPION, MAIN, UseCaseKeys, results_branch
from rai_assets.progress import announce
from rai_assets.store.branches import check_data_branch, data_branches, resolve
from rai_assets.store.ledger import Standing, copy_verdicts, data_digest, standing
from rai_assets.store.names import check_branch, reserved
from rai_assets.store.protocol import AlreadyExists, Commit, NotFound, VersionedRepository
from rai_assets.store.turns import turn
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.people import person
from rai_assets.use_case.reading import repository_of


def create(declared: Declared, name: str, source: str = MAIN) -> str:
    """Start a data branch at a commit, and return its id. What a former branch of that name left is forgotten.

    Raises:
        AlreadyExists: The name is taken.
        InvalidRef: The name cannot be a branch.
        NotFound: There is no such source.
        UsageError: The name is reserved.
    """
    _refuse_reserved(check_branch(name), declared.use_case.name)
    repository = repository_of(declared.use_case.name)
    if name not in repository.branches(name):
        _drop_results(declared, repository, name)
    try:
        return repository.create_branch(name, resolve(repository, declared.use_case.name, source))
    except AlreadyExists as fault:
        fix = f"choose another name; `rai branch list {declared.use_case.name}` shows what there is"
        raise AlreadyExists(fault.what, where=declared.use_case.name, fix=fix) from fault


def delete(declared: Declared, name: str) -> str:
    """Delete a data branch with its results and its partition, and return the id of its last commit.

    Raises:
        NotFound: There is no such branch.
        RaiError: A run is at work on it.
        UsageError: It is `main`, or the name is reserved.
    """
    keys = declared.use_case.keys()
    _refuse_reserved(name, keys.name)
    if name == MAIN:
        raise UsageError(f"{MAIN!r} is the branch that all others come from", where=keys.name, fix="delete another")
    repository = repository_of(keys.name)
    with turn(home(), keys.name, name, str(uuid4()), wait=0, report=announce):
        check_data_branch(repository, keys.name, name)
        head = repository.resolve(name)
        repository.delete_branch(name)
        _drop_results(declared, repository, name)
    _forget_partition(keys, name)
    return head


def _forget_partition(keys: UseCaseKeys, branch: str) -> None:
    if not (home() / "dagster").is_dir():
        return  # nothing has been run here
    from rai_assets.home import prepare

    prepare()
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        instance.delete_dynamic_partition(keys.branch_partitions, branch)


def clear_results(declared: Declared, repository: VersionedRepository, branch: str) -> None:
    """Remove the results of a data branch that is gone, so that a new one of that name does not take them for its own.

    Where a run is at work on that name, or the branch is there after all, nothing is done.
    """
    name = declared.use_case.name
    with suppress(RaiError), turn(home(), name, branch, str(uuid4()), wait=0, report=announce):
        if branch not in repository.branches(branch):
            _drop_results(declared, repository, branch)


def _drop_results(declared: Declared, repository: VersionedRepository, branch: str) -> None:
    """Delete the results of a data branch; its verdicts stay with the branches that hold the same data."""
    results = results_branch(branch)
    if results not in repository.branches(results):
        return
    judged = {Path(item.path).stem for item in repository.list_objects(results, "ledger/")}
    for other, head in data_branches(repository).items():
        digest = data_digest(repository, head)
        if digest in judged:
            copy_verdicts(repository, branch, other, digest, declared.requirements)
    repository.delete_branch(results)


def log(declared: Declared, ref: str = MAIN, limit: int | None = None) -> Iterator[Commit]:
    """The commits from a ref back to the first.

    Raises:
        NotFound: There is no such ref.
    """
    repository = repository_of(declared.use_case.name)
    return islice(repository.log(resolve(repository, declared.use_case.name, ref)), limit)


def checkout_file(declared: Declared, ref: str, path: str, output: Path | None = None) -> Path:
    """Copy one object of a commit to a file, whole or not at all; returns the file.

    Args:
        declared: The use case.
        ref: A branch, tag or commit.
        path: The object's path in the repository.
        output: The file, or a folder to put it into; the object's own name, here, when left out.

    Raises:
        NotFound: There is no such ref or object; the message names objects with a similar path.
        UsageError: The file exists and was not named by `output`.
    """
    repository = repository_of(declared.use_case.name)
    commit = resolve(repository, declared.use_case.name, ref)
    target = output or Path(path).name
    target = Path(target) / Path(path).name if Path(target).is_dir() else Path(target)
    if output is None and target.exists():
        raise UsageError(f"{target} is here already", fix="--output FILE names another, or says to replace it")
    try:
        repository.download(commit, path, target)
    except NotFound as fault:
        there = [item.path for item in islice(repository.list_objects(commit), 10_000)]
        near = get_close_matches(path, there, 3, 0.4) or there[:5]
        fix = f"there are {', '.join(near)}" if near else "this commit holds no objects"
        raise NotFound(f"there is no object {path!r} in {ref!r}", where=declared.use_case.name, fix=fix) from fault
    return target


def revert(declared: Declared, commit: str, branch: str = MAIN) -> tuple[Commit, Standing | None]:
    """Take back what one commit changed on a branch, as a new commit; of a merge, what it brought to its destination.

    Args:
        declared: The use case.
        commit: The commit to take back.
        branch: A data branch, or `champion`.

    Returns:
        The new head, and how its data stand with the gate; None on `champion`.

    Raises:
        MergeConflict: Later commits changed the same paths.
        NoChanges: There is nothing to take back.
        NotFound: There is no such branch or commit.
        UsageError: The branch is one that only the product writes.
    """
    name = declared.use_case.name
    repository = repository_of(name)
    if branch != CHAMPION:
        _refuse_reserved(branch, name)
        check_data_branch(repository, name, branch)
    elif not repository.branches(CHAMPION):
        raise NotFound(f"{name} has no champion yet", fix="name a data branch")
    taken_back = resolve(repository, name, commit)
    parent = 1 if len(repository.get_commit(taken_back).parents) > 1 else 0
    made = repository.revert(branch, taken_back, parent, metadata={"use_case": name, "by": person()})
    if branch == CHAMPION:
        return made, None
    return made, standing(repository, made.id, declared.requirements)


def _refuse_reserved(name: str, use_case: str) -> None:
    if reserved(name):
        raise UsageError(
            f"{name!r} is a name that the product keeps for itself: champion, production, and what starts with "
            "run-, tx- or results-",
            where=use_case,
            fix="choose another name for a data branch",
        )
