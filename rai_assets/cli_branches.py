"""The commands about branches, tags and what differs between them. Every command parses, calls, prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rai_assets.cli_words import Branch, Form, Format, Name, say
from rai_assets.progress import printable

if TYPE_CHECKING:
    from rai_assets.store.protocol import Change, Commit
    from rai_assets.use_case.comparing import RefDifference

commands = typer.Typer()

_SHOWN = 50  # objects of a difference


class Strategy(StrEnum):
    """Which side of a merge wins an object that both changed."""

    source = "source-wins"
    destination = "dest-wins"


Ref = "A branch, a tag or a commit id."
BranchName = Annotated[str, typer.Argument(help="The data branch.", metavar="BRANCH", show_default=False)]
Tag = Annotated[str, typer.Argument(help="The tag.", metavar="TAG", show_default=False)]

branch_commands = typer.Typer(help="Data branches: experiments beside `main`. Each has results of its own.")
commands.add_typer(branch_commands, name="branch")
tag_commands = typer.Typer(help="Names for commits; a tag never moves.")
commands.add_typer(tag_commands, name="tag")


@branch_commands.command("create")
def create_branch(
    name: Name,
    branch: BranchName,
    source: Annotated[str, typer.Option("--from", help=Ref)] = "main",
) -> None:
    """Start a data branch; nothing is copied."""
    from rai_assets.use_case.branches import create
    from rai_assets.use_case.declaration import find

    head = create(find(name), branch, source)
    print(f"{branch} starts at {head[:12]}. Next: rai run {name} --branch {branch}")


@branch_commands.command("list")
def list_branches(name: Name, form: Form = Format.table) -> None:
    """Every data branch and how it stands.

    Its newest commit, the verdict on the requirements as declared now, and whether its head is gated.
    """
    from rai_assets.use_case.branch_states import states
    from rai_assets.use_case.declaration import find

    found = states(find(name))
    if form is Format.json:
        print(json.dumps([state.as_json() for state in found], indent=1, ensure_ascii=False))
        return
    for state in found:
        print(state.line)


@branch_commands.command("delete")
def delete_branch(name: Name, branch: BranchName) -> None:
    """Delete a data branch, its results and its partition. Its commits stay readable by id for a while."""
    from rai_assets.use_case.branches import delete
    from rai_assets.use_case.declaration import find

    head = delete(find(name), branch)
    print(f"{branch} is deleted, with its results and its partition. What it held is readable at {head} until a sweep;")
    print(f"to have it again: rai branch create {name} {branch} --from {head}")


@commands.command()
def diff(
    name: Name,
    before: Annotated[str, typer.Argument(help=Ref, metavar="A", show_default=False)],
    after: Annotated[str, typer.Argument(help=Ref, metavar="B", show_default=False)],
    form: Form = Format.table,
) -> None:
    """What differs between two commits. Objects are named; of the table columns, contract, rows and distributions."""
    from rai_assets.progress import Progress
    from rai_assets.use_case.comparing import diff as difference
    from rai_assets.use_case.declaration import find

    found = difference(find(name), before, after, Progress(say))
    if form is Format.json:
        print(json.dumps(found.as_json(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    print(f"{before} ({found.before[:12]}) -> {after} ({found.after[:12]})")
    for line in _difference_lines(found):
        print(line)


@commands.command()
def merge(
    name: Name,
    source: Annotated[str, typer.Argument(help="The data branch to merge.", metavar="SOURCE", show_default=False)],
    destination: Annotated[str, typer.Argument(help="The data branch that moves.", metavar="DESTINATION")] = "main",
    strategy: Annotated[Strategy | None, typer.Option(help="Which side wins where both changed an object.")] = None,
) -> None:
    """Merge a data branch into another. Into `main` only if contract and blocking requirements hold on its data."""
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.publishing import merge as merge_through_the_gate

    made = merge_through_the_gate(find(name), source, destination, strategy=strategy.value if strategy else None)
    print(f"{destination} is at {made.id[:12]}: {made.message.splitlines()[0]}")
    print(f"Next: rai run {name} --branch {destination}")


@commands.command()
def log(
    name: Name,
    branch: Annotated[str, typer.Option(help=f"{Ref} Also champion and results-BRANCH.")] = "main",
    limit: Annotated[int, typer.Option(help="Stop after so many.", min=1)] = 20,
    form: Form = Format.table,
) -> None:
    """The commits of a branch, the newest first. Each says what, when, and which run or person made it."""
    from rai_assets.use_case.branches import log as commits_of
    from rai_assets.use_case.declaration import find

    commits = list(commits_of(find(name), branch, limit))
    if form is Format.json:
        print(json.dumps([_as_json(commit) for commit in commits], indent=1, ensure_ascii=False))
        return
    for commit in commits:
        print(_line(commit))


@tag_commands.command("create")
def create_tag(name: Name, tag: Tag, ref: Annotated[str, typer.Argument(help=Ref, metavar="REF")] = "main") -> None:
    """Name a commit."""
    from rai_assets.store.branches import resolve
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.reading import repository_of

    repository = repository_of(find(name).use_case.name)
    print(f"{tag} is {repository.create_tag(tag, resolve(repository, name, ref))[:12]}")


@tag_commands.command("list")
def list_tags(name: Name, form: Form = Format.table) -> None:
    """Every tag and its commit."""
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.reading import repository_of

    tags = repository_of(find(name).use_case.name).tags()
    if form is Format.json:
        print(json.dumps(tags, indent=1))
        return
    for tag, commit in tags.items():
        print(f"{tag}  {commit[:12]}")


@tag_commands.command("delete")
def delete_tag(name: Name, tag: Tag) -> None:
    """Delete a tag; the commit stays."""
    from rai_assets.store.branches import delete_tag as forget
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.reading import repository_of

    forget(repository_of(find(name).use_case.name), name, tag)
    print(f"{tag} is deleted")


@commands.command("checkout-file")
def checkout_file(
    name: Name,
    ref: Annotated[str, typer.Argument(help=Ref, metavar="REF", show_default=False)],
    path: Annotated[
        str, typer.Argument(help="The object, e.g. dataset/table.parquet.", metavar="PATH", show_default=False)
    ],
    output: Annotated[Path | None, typer.Option(help="File or folder; the object's name when left out.")] = None,
) -> None:
    """Copy one object of a commit to a file."""
    from rai_assets.use_case.branches import checkout_file as copy
    from rai_assets.use_case.declaration import find

    print(f"Wrote {copy(find(name), ref, path, output)}")


@commands.command()
def revert(
    name: Name,
    commit: Annotated[str, typer.Argument(help="The commit to take back.", metavar="COMMIT", show_default=False)],
    branch: Branch = "main",
) -> None:
    """Take back what one commit changed, as a new commit. A branch's history is never rewritten."""
    from rai_assets.use_case.branches import revert as take_back
    from rai_assets.use_case.declaration import find

    made, standing = take_back(find(name), commit, branch)
    print(f"{branch} is at {made.id[:12]}: {made.message.splitlines()[0]}")
    if standing is not None:
        print(f"head: {'gated' if standing.gated else 'ungated'}. {standing.sentence}")
        print(f"Next: rai run {name} --branch {branch}")


def _difference_lines(found: RefDifference) -> Iterator[str]:
    from rai_assets.data.difference_text import as_lines
    from rai_assets.store.errors import both_changed

    if not found.objects:
        yield "nothing differs"
        return
    for change in found.objects[:_SHOWN]:
        yield f"{change.kind:<8} {change.path}  {_sizes(change)}"
    if len(found.objects) > _SHOWN:
        yield f"and {len(found.objects) - _SHOWN:,} more objects; --format json names them all"
    if found.conflicts:
        yield f"conflict {both_changed(found.conflicts)}"
    if found.table is not None:
        yield from as_lines(found.table)


def _sizes(change: Change) -> str:
    sizes = [f"{side.size:,}" for side in (change.before, change.after) if side is not None]
    return f"{' -> '.join(sizes)} bytes"


def _as_json(commit: Commit) -> dict[str, object]:
    return {
        "commit": commit.id,
        "parents": list(commit.parents),
        "time": commit.time.isoformat(),
        "message": commit.message,
        "metadata": dict(commit.metadata),
    }


def _line(commit: Commit) -> str:
    words = commit.metadata
    who = words.get("by") or (f"run {words['run_id'][:8]}" if words.get("run_id") else "")
    kind = "merge " if len(commit.parents) > 1 else ""
    said = f"{kind}{commit.message}".splitlines()[0] if commit.message else kind
    text = "  ".join(part for part in (commit.id[:12], f"{commit.time:%Y-%m-%d %H:%M:%S}", who, said) if part)
    return printable(text)
