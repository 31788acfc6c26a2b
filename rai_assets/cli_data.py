"""The commands that bring data in and let them pass. Every command parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rai_assets.cli_words import Branch, Name, say
from rai_assets.errors import UsageError

commands = typer.Typer()


@commands.command()
def ingest(
    name: Name,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Data files, in the form that is declared.", metavar="FILE…")
    ] = None,
    branch: Branch = "main",
    declared: Annotated[bool, typer.Option("--declared", help="Go back to the files of the declaration.")] = False,
) -> None:
    """Publish files on a data branch, if they keep the contract. The next `rai run` of the branch audits them."""
    from rai_assets.charts.text import how_many
    from rai_assets.progress import Progress
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.publishing import ingest_files

    if bool(files) == declared:
        raise UsageError("either files or --declared", fix=f"rai ingest {name} FILE, or: rai ingest {name} --declared")
    ingested = ingest_files(find(name), files or [], branch, Progress(say))
    done = "published on" if ingested.changed else "are there already on"
    print(f"{how_many(ingested.rows, 'row')} {done} {branch}, commit {ingested.commit[:12]}")
    print(f"Next: rai run {name} --branch {branch}")


@commands.command()
def publish(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, in a sentence; kept with your name.", show_default=False)],
    branch: Annotated[
        str | None, typer.Option(help="Data branch, or the run branch of refused data.", show_default="main")
    ] = None,
    batch: Annotated[str | None, typer.Option(help="Instead: a batch in quarantine.", metavar="KEY")] = None,
) -> None:
    """Let audited data pass the gate in spite of their verdict. It is on your word: who, when and why are recorded."""
    from rai_assets.use_case.batches import let_pass
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.publishing import publish as publish_data

    if batch is None:
        print(publish_data(find(name), branch or "main", reason))
        return
    if branch is not None:
        raise UsageError("either --branch or --batch", fix=f"rai publish {name} --batch {batch} --reason ...")
    print(let_pass(find(name), batch, reason))
    print(f"With `rai dev` this is done within a minute; or now: rai backfill {name}")
