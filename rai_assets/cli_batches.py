"""The commands about the batches of production. Every command parses, calls, prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from rai_assets.cli_words import Form, Format, Name, say

commands = typer.Typer()
contract_commands = typer.Typer(help="Versions of the contract that batches keep.")
commands.add_typer(contract_commands, name="contract")

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


class State(StrEnum):
    """What became of a batch."""

    pending = "pending"
    accepted = "accepted"
    quarantined = "quarantined"


@commands.command()
def batches(
    name: Name,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    form: Form = Format.table,
) -> None:
    """The batches of production: what became of each, and why."""
    from rai_assets.charts.text import how_many
    from rai_assets.use_case.batches import labels_without_rows, listed
    from rai_assets.use_case.declaration import find

    declared = find(name)
    found = listed(declared, None if state is None else state.value)
    if form is Format.json:
        print(json.dumps([entry.as_json() for entry in found], indent=1, ensure_ascii=False))
        return
    for entry in found:
        revision = "" if entry.revision is None else f"  revision {entry.revision}"
        print(f"{entry.key}  {entry.state}{revision}")
        for line in (entry.reason or "").splitlines() if entry.state != "pending" else ():
            print(f"  {line}")
    if not found:
        print("No batches.")
    for path, rows in labels_without_rows(declared).items() if state is None else ():
        print(f"{path}: {how_many(rows, 'label waits', 'labels wait')} for rows that have not arrived")


@commands.command()
def backfill(
    name: Name,
    start: Annotated[
        datetime | None, typer.Option("--from", formats=_TIMES, help="Batches from this time on, UTC.")
    ] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=_TIMES, help="Batches before this time, UTC.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask every question of accepted batches again.")] = False,
) -> None:
    """Audit and score all batches of a range in this process. What is done already is left as it is.

    It ends with exit code 4 if anything could not be worked on, else with 3 if a batch of the range is in quarantine.
    """
    from rai_assets.charts.text import how_many
    from rai_assets.errors import InputRefused, RaiError
    from rai_assets.progress import Progress
    from rai_assets.use_case.backfill import backfill as run_backfill
    from rai_assets.use_case.declaration import find

    done = run_backfill(find(name), _utc(start), _utc(end), Progress(say), again=again)
    print(
        f"{how_many(done.accepted, 'batch')} accepted, {done.present:,} were there, {done.quarantined:,} in quarantine"
    )
    if done.problems:
        print(f"{how_many(len(done.problems), 'problem')}:")
    for problem in done.problems:
        print(f"  {problem}")
    if done.waiting:
        print(
            f"{how_many(done.waiting, 'file is', 'files are')} not taken yet: a file has to look the "
            f"same for `settle` seconds after it was first seen. Later again: rai backfill {name}"
        )
    if done.quarantined:
        print(f"Next: rai batches {name} --state quarantined")
    if done.problems or done.quarantined:
        raise typer.Exit(RaiError.exit_code if done.problems else InputRefused.exit_code)


@contract_commands.command("accept")
def accept_contract(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, in a sentence.", show_default=False)],
    batch: Annotated[str | None, typer.Option(help="A batch in quarantine; the first when left out.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=_TIMES, help="From when it holds, UTC; that batch's time when left out."),
    ] = None,
) -> None:
    """Make the schema of a batch in quarantine the contract. It is its next version; older batches keep theirs."""
    from rai_assets.use_case.batches import accept
    from rai_assets.use_case.declaration import find

    done = accept(find(name), reason, batch, _utc(start))
    print(f"Contract {done.version.number} holds for batches from {done.version.effective:%Y-%m-%d %H:%M} UTC on:")
    for sentence in done.differences:
        print(f"  {sentence}")
    if done.lacking:
        print(f"Mind: the champion reads {', '.join(done.lacking)}. These batches are accepted, and what needs its")
        print("predictions cannot be told of them until a model that can read them serves or the column comes back.")
    if done.again:
        print(f"Audited again: {', '.join(done.again[:20])}{' ...' if len(done.again) > 20 else ''}")


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
