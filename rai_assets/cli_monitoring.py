"""The commands about production. Every command parses, calls, prints."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rai_assets.cli_words import Form, Format, say
from rai_assets.errors import UsageError

if TYPE_CHECKING:
    from rai_assets.monitoring.drift.media.settings import EmbeddingSettings

commands = typer.Typer()


class Rule(StrEnum):
    """What raises an alarm of drift."""

    calibrated = "calibrated"
    textbook = "textbook"
    reference_chunks = "reference-chunks"
    evidently = "evidently"
    fixed = "fixed"


class Null(StrEnum):
    """Where the p-values of drift come from."""

    auto = "auto"
    permutation = "permutation"
    blocks = "blocks"


@commands.command()
def drift(
    reference: Annotated[Path, typer.Argument(help="What to compare with.", metavar="REFERENCE", show_default=False)],
    current: Annotated[Path, typer.Argument(help="What may have drifted.", metavar="CURRENT", show_default=False)],
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method, or COLUMN=METHOD; more with commas. Fitted to each column when left out."),
    ] = None,
    chunks: Annotated[
        str | None, typer.Option(help="Rows of a chunk, daily or monthly.", metavar="N|daily|monthly")
    ] = None,
    timestamp: Annotated[str | None, typer.Option(help="The column that says when.", metavar="COLUMN")] = None,
    form: Form = Format.table,
    rule: Annotated[Rule, typer.Option(help="What raises an alarm.")] = Rule.calibrated,
    level: Annotated[float, typer.Option(help="Family-wise level of the p-values.")] = 0.05,
    limit: Annotated[
        list[str] | None, typer.Option(help="METHOD=VALUE: alarm above it, for --rule fixed.", metavar="METHOD=VALUE")
    ] = None,
    deviations: Annotated[float, typer.Option(help="For --rule reference-chunks: mean ± so many sd.")] = 3.0,
    null: Annotated[Null, typer.Option(help="Rows interchangeable, or blocks of the reference too.")] = Null.auto,
    minimum_effect: Annotated[float, typer.Option(help="Smaller effects raise no alarm.")] = 0.0,
    only: Annotated[str | None, typer.Option(help="Only these columns: A,B,C.")] = None,
    categorical: Annotated[str | None, typer.Option(help="Columns whose numbers are codes: A,B,C.")] = None,
    missing: Annotated[list[str] | None, typer.Option(help="Text that means missing, e.g. '?'.")] = None,
    columns: Annotated[str | None, typer.Option(help="Names for files without a header: a file, or A,B,C.")] = None,
    importance: Annotated[str | None, typer.Option(help="Weights of columns in the ranking: A=0.5,B=0.1.")] = None,
    media: Annotated[
        str | None, typer.Option(help="The column that names pictures or recordings.", metavar="COLUMN")
    ] = None,
    embedding: Annotated[
        Path | None, typer.Option(help="ONNX file that makes a vector of a picture.", metavar="FILE")
    ] = None,
    together: Annotated[
        bool, typer.Option("--together", help="Also compare all columns at once: classifier and PCA.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the rows that are redrawn.", min=0)] = 0,
) -> None:
    """Compare two files column by column.

    Shown are what has drifted, how sure that is, how much, and which values drive it.

    Two folders of pictures or recordings are compared by how bright, how long, how loud they are, and as a whole.

    Methods: ks, wasserstein, psi, jensen_shannon, hellinger, chi_squared, l_infinity, missing, unseen; of texts
    vocabulary and length.

    Example: rai drift reference.csv march.csv --chunks daily --timestamp time --format json
    """
    from rai_assets.data.sniffing import read_names
    from rai_assets.monitoring.drift.compute import drift as compare
    from rai_assets.monitoring.drift.media.settings import MediaSettings
    from rai_assets.monitoring.drift.settings import method_named
    from rai_assets.progress import Progress

    named = _methods(method)
    settings = _settings(
        methods=[method_named(name) for column, name in named if column is None],
        columns={
            column: [method_named(name) for other, name in named if other == column]
            for column in dict.fromkeys(column for column, _ in named)
            if column is not None
        },
        only=_listed(only),
        categorical=_listed(categorical),
        missing=missing or [],
        chunks=int(chunks) if chunks and chunks.isdecimal() else chunks,
        timestamp=timestamp,
        rule=rule.value.replace("-", "_"),
        level=level,
        limits={method_named(name): value for name, value in _weights(",".join(limit or []), "--limit").items()},
        deviations=deviations,
        null=null.value,
        minimum_effect=minimum_effect,
        importance=_weights(importance, "--importance"),
    )
    header = None if columns is None else read_names(columns)
    files = MediaSettings(column=media, embedding=None if embedding is None else _pinned(embedding))
    found = compare(
        reference,
        current,
        settings,
        seed=seed,
        header=header,
        media=files,
        together=together,
        progress=Progress(say),
    )
    if form is Format.json:
        print(json.dumps([row.as_json() for row in found.rows], indent=1, ensure_ascii=False, allow_nan=False))
        return
    for line in found.lines():
        print(line)


def _settings(**values: Any) -> Any:
    from rai_assets.monitoring.drift.settings import settings_of

    try:
        return settings_of(values)
    except UsageError as error:
        where = f"--{error.where.replace('_', '-')}" if error.where else ""
        raise UsageError(error.what, where=where, fix="`rai drift --help` shows what may be said") from error


def _pinned(embedding: Path) -> EmbeddingSettings:
    """The embedding as it is now; what was compared says its digest."""
    from rai_assets.data.paths import resolve
    from rai_assets.monitoring.drift.media.settings import EmbeddingSettings

    with resolve(Path.cwd(), str(embedding)).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return EmbeddingSettings(model=str(embedding), sha256=digest)


def _methods(given: list[str] | None) -> list[tuple[str | None, str]]:
    """(column or None, method) of every `METHOD` and `COLUMN=METHOD`."""
    parts = [part for text in given or [] for part in _listed(text)]
    pairs = [part.rpartition("=") for part in parts]
    return [(column if sign else None, name) for column, sign, name in pairs]


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _weights(text: str | None, option: str) -> dict[str, float]:
    found = {}
    for part in _listed(text):
        name, sign, value = part.rpartition("=")
        try:
            found[name] = float(value if sign else "")
        except ValueError as error:
            raise UsageError(f"{part[:60]!r} is no NAME=NUMBER", where=option, fix="write A=0.5,B=0.1") from error
    return found
