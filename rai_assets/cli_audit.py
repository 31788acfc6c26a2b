"""The commands from a declaration to its audit: declare, run, read. Every command parses, calls, prints."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from rai_assets.cli_words import Branch, Name, say, span_of
from rai_assets.errors import RaiError, UsageError

commands = typer.Typer()


class Format(StrEnum):
    """How `rai metrics` prints."""

    table = "table"
    json = "json"
    csv = "csv"


@commands.command()
def init(
    name: Name,
    data: Annotated[list[Path], typer.Option(help="Data file; give it again for more files.", show_default=False)],
    media: Annotated[Path | None, typer.Option(help="Folder of the images, sounds, ... that the rows name.")] = None,
    target: Annotated[str | None, typer.Option(help="Column with the true outcome.")] = None,
    test: Annotated[list[Path] | None, typer.Option(help="File kept for the audit instead of a random part.")] = None,
    columns: Annotated[str | None, typer.Option(help="Names for files without a header: a file, or A,B,C.")] = None,
    separator: Annotated[str | None, typer.Option(help="What separates columns; found when left out.")] = None,
    missing: Annotated[list[str] | None, typer.Option(help="Text that means missing, e.g. '?'.")] = None,
    positive: Annotated[str | None, typer.Option(help="The target's favourable value.")] = None,
    sensitive: Annotated[str | None, typer.Option(help="Sensitive columns: A,B,C.")] = None,
    prediction: Annotated[str | None, typer.Option(help="Column with logged decisions; then no model is made.")] = None,
    score: Annotated[str | None, typer.Option(help="Column with logged scores; needs --threshold.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Decision = score >= threshold.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column with row weights.")] = None,
) -> None:
    """Read data files and write a commented defs.yaml. What was guessed of types and rules is said.

    Example: rai init adult --data adult.data.gz --test adult.test.gz --columns columns.txt --missing '?'
    --target income --positive '>50K' --sensitive sex,race
    """
    from rai_assets.data.column_guess import Wishes
    from rai_assets.use_case.template import write_inferred

    wishes = Wishes(target, positive, _names(sensitive), prediction, score, threshold, weight, tuple(missing or ()))
    path, guesses = write_inferred(
        name, data, test or [], wishes, columns=columns, separator=separator, media=media, report=say
    )
    print(f"Wrote {path}")
    for guess in guesses:
        print(f"  guessed: {guess}")
    print(f"Read it, change what is wrong, then: rai run {name}")


@commands.command()
def validate(
    name: Annotated[str | None, typer.Argument(help="One use case; all when left out.", metavar="NAME")] = None,
) -> None:
    """Check the declarations; every problem with file and line."""
    from rai_assets.use_case.declaration import find, load_all

    declared, broken = load_all()
    for item in declared:
        if name in (None, item.use_case.name):
            print(f"{item.path}: {item.use_case.name} is valid")
            for sentence in item.use_case.schedules.sentences():
                print(f"  scheduled: {sentence}")
    faulty = [item for item in broken if name in (None, item.name)]
    if faulty:
        raise _joined([item.error for item in faulty])
    if name is not None:
        find(name)


@commands.command()
def run(
    name: Name,
    branch: Branch = "main",
    only: Annotated[str | None, typer.Option(help="Only these assets: A,B,C.", metavar="A,B")] = None,
) -> None:
    """Refresh and audit one data branch. After `main`, the promotion of its model is asked for."""
    from rai_assets.progress import listening
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.run import run as run_audit

    with listening(say):
        outcome = run_audit(find(name), branch, _names(only))
    _print_outcome(outcome)
    if outcome.gate is None:
        return
    here = "" if branch == "main" else f" --branch {branch}"
    print(f"Next: rai metrics {name}{here}   rai report {name}{here} --open   rai dev")
    if outcome.gate != "pass":
        raise typer.Exit(1)


@commands.command()
def metrics(
    name: Name,
    definition: Annotated[str | None, typer.Option(help="Pattern of ids, e.g. 'false_*' or '*_difference@1'.")] = None,
    by: Annotated[str | None, typer.Option(help="Only numbers of the groups of these columns: A,B.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Rows: train, calibration, test or all; the audited ones when left out.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    branch: Branch = "main",
    batch: Annotated[str | None, typer.Option(help="A batch of production, in the place of a data branch.")] = None,
) -> None:
    """Print every number of the last audit, or of a batch. Each has its definition, interval, rows and address."""
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.number_text import render_numbers
    from rai_assets.use_case.numbers import select_numbers

    if batch and branch != "main":
        raise UsageError("--batch and --branch are two places", fix="give one of them")
    numbers = select_numbers(find(name), branch, definition=definition, by=_names(by), split=split, batch=batch)
    sys.stdout.write(render_numbers(numbers, format.value))


@commands.command("explain-number")
def explain_number(
    address: Annotated[str, typer.Argument(help="The `address` of a number.", metavar="ADDRESS")],
) -> None:
    """Show the path from one number to its data. On it lie formula, rows, model, commits and files."""
    from rai_assets.use_case.explaining import explain

    print(explain(address))


@commands.command()
def report(
    name: Name,
    output: Annotated[
        Path | None, typer.Option(help="Where to write it; NAME-report.html or NAME-production.html when left out.")
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    branch: Branch = "main",
    production: Annotated[bool, typer.Option("--production", help="Of the batches of production instead.")] = False,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="First day of production; a year before the last when left out."
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of production; the newest batch's when left out."),
    ] = None,
    whylogs: Annotated[
        Path | None, typer.Option(help="Write the profiles of production here, too, as one that whylogs reads.")
    ] = None,
) -> None:
    """Write the report of the last audit, or of production. It is one HTML file that needs no network."""
    from rai_assets.use_case.declaration import find
    from rai_assets.use_case.reading import write_production_report, write_report

    if (start or end or whylogs) and not production:
        raise UsageError("--from, --to and --whylogs are about production", fix="add --production")
    if production and branch != "main":
        raise UsageError("--production and --branch are two places", fix="give one of them")
    if production:
        first = start and start.replace(tzinfo=UTC)
        after = end and end.replace(tzinfo=UTC) + timedelta(days=1)
        path = output or Path(f"{name}-production.html")
        found = write_production_report(find(name), path, first, after, whylogs=whylogs).result.facts
        print(f"Batches of {found['batches of']}.\n{found['outcome']}")
    else:
        path = write_report(find(name), branch, output or Path(f"{name}-report.html"))
    print(f"Wrote {path}")
    if open:
        import webbrowser

        webbrowser.open(path.absolute().as_uri())


@commands.command("list")
def list_() -> None:
    """Every use case and how its data branches stand.

    Of each branch the newest commit, the verdict and whether its head is gated; then what is scheduled.
    """
    from rai_assets.home import definitions_folder
    from rai_assets.use_case.branch_states import overview
    from rai_assets.use_case.declaration import load_all

    declared, broken = load_all()
    for line in overview(declared):
        print(line)
    for item in broken:
        print(f"{item.name}  cannot be loaded: {str(item.error).splitlines()[0]}")
    if not declared and not broken:
        print(f"No use case in {definitions_folder()}. Start one: rai init NAME --data FILE --target COLUMN")


@commands.command()
def demo() -> None:
    """Audit made lending data and play a year of production. What was planted and what was found is shown."""
    from rai_assets.progress import listening
    from rai_assets.use_case.demo import run_demo

    with listening(say):
        shown = run_demo()
    print("\nThe verdicts on lending, the audit with the planted faults")
    _print_outcome(shown.outcome)
    print(shown.text)
    if not shown.all_found:
        raise typer.Exit(1)


@commands.command()
def doctor(
    stale: Annotated[
        str | None,
        typer.Option(
            help="Ask this only: is Dagster's daemon at work? Exit code 4 after so long a silence.", metavar="10m"
        ),
    ] = None,
) -> None:
    """Say what is installed, what is missing and how to get it. Versions, folders and free disk are looked at."""
    if stale is not None:
        from rai_assets.use_case.alive import signs_of_life

        print("\n".join(signs_of_life(span_of(stale, "--stale"))))
        return
    from rai_assets.use_case.doctor import examine

    lines, healthy = examine()
    print("\n".join(lines))
    if not healthy:
        raise typer.Exit(4)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def _joined(errors: list[RaiError]) -> RaiError:
    if len(errors) == 1:
        return errors[0]
    return type(errors[0])("\n".join(str(error) for error in errors))


def _print_outcome(outcome: Any) -> None:
    if outcome.gate is None:
        print(f"Made: {', '.join(outcome.made) or 'nothing'}")
        return
    width = max((len(item["id"]) for item in outcome.verdicts), default=0)
    for item in outcome.verdicts:
        kind = "" if item["blocking"] else " (not blocking)"
        print(f"  {item['id']:<{width}}  {item['verdict']:<11}{kind}  {item['sentence']}")
    print(f"Requirements: {outcome.gate if any(item['blocking'] for item in outcome.verdicts) else 'none declared'}")
    if outcome.champion:
        print(f"Champion: {outcome.champion}")
