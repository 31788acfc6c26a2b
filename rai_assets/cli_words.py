"""What several commands have in common: arguments and options, how they print, and how far long work is."""

from __future__ import annotations

import sys
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from rai_assets.data.times import span
from rai_assets.errors import UsageError

Name = Annotated[str, typer.Argument(help="Name of the use case.", metavar="NAME", show_default=False)]
OneOrAll = Annotated[str | None, typer.Argument(help="Name of the use case; all when left out.", metavar="NAME")]
Branch = Annotated[str, typer.Option(help="Data branch.")]


class Format(StrEnum):
    """How a command prints."""

    table = "table"
    json = "json"


Form = Annotated[Format, typer.Option("--format", help="How to print.")]


def say(line: str) -> None:
    """Tell how far long work is."""
    print(f"  {line}", file=sys.stderr, flush=True)


def span_of(text: str, option: str) -> timedelta:
    """The span of time that an option was given."""
    try:
        return span(text)
    except ValueError as error:
        raise UsageError(str(error), where=option, fix="write it as 14d, 12h or 30m") from error
