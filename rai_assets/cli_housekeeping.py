"""The commands that keep the store in order. Every command parses, calls, prints."""

from __future__ import annotations

from typing import Annotated

import typer

from rai_assets.cli_words import Name, OneOrAll, say, span_of

commands = typer.Typer()
store_commands = typer.Typer(help="The store as a whole: verify it, copy it to another place.")
commands.add_typer(store_commands, name="store")

_PLACE = "here, embedded:FOLDER (its RAI_HOME) or lakefs+http://HOST:PORT."


@commands.command()
def gc(
    name: OneOrAll = None,
    grace: Annotated[str, typer.Option(help="Nothing younger is removed: 14d, 12h or 30m.")] = "14d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
) -> None:
    """Remove contents that no branch or tag leads to.

    What dead processes left goes, too, and so do run branches older than 30 days.
    """
    from rai_assets.use_case.housekeeping import sweep

    for line in sweep(name, span_of(grace, "--grace"), dry_run=dry_run):
        print(line)


@commands.command()
def retention(
    name: Name, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False
) -> None:
    """Remove what is older than the declaration keeps it. Old batches, what was found of them, records of runs."""
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.retention import retain_here

    for line in retain_here(find(name), dry_run=dry_run):
        print(line)


@commands.command()
def erase(
    name: Name,
    identifier: Annotated[str, typer.Option(help="The person's value of a column with role identifier.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence; it is kept.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
) -> None:
    """Erase a person's rows, and say what still holds them. They leave every data branch and production."""
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.erasure import erase as erase_person

    for line in erase_person(find(name), identifier, reason, dry_run=dry_run):
        print(line)


@store_commands.command()
def verify(name: OneOrAll = None) -> None:
    """Compare what branches and tags lead to with its digests. Everything is read; exit code 4 if anything differs."""
    from rai_assets.progress import Progress
    from rai_assets.use_case.housekeeping import verify_stores

    for line in verify_stores(name, Progress(say)):
        print(line)


@store_commands.command()
def copy(
    source: Annotated[str, typer.Argument(help=f"Where from: {_PLACE}", metavar="FROM", show_default=False)],
    target: Annotated[str, typer.Argument(help=f"Where to: {_PLACE}", metavar="TO", show_default=False)],
    name: OneOrAll = None,
) -> None:
    """Bring branches, tags and history to another store. What is there already is skipped."""
    from rai_assets.progress import Progress
    from rai_assets.use_case.housekeeping import copy_stores

    for line in copy_stores(source, target, name, Progress(say)):
        print(line)
