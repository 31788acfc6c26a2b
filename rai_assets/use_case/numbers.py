"""The numbers of audits, read from the store: all of them, those that fit, as text, and the path of one to its data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from rai_assets.charts.text import how_many
from rai_assets.errors import UsageError, near_names
from rai_assets.keys import BATCHES, MAIN, PRODUCTION, batch_folder, results_branch
from rai_assets.metrics.number import Number
from rai_assets.progress import printable
from rai_assets.provenance import Address, Provenance
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.use_case.declaration import Declared, find
from rai_assets.use_case.reading import NotRun, repository_of, results_head

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
        result = results.load(repository, commit, asset, whole=False)
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
        scorecard = results.load(repository, commit, "scorecard", whole=False)
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


def render_numbers(numbers: Sequence[Number], form: str) -> str:
    """The numbers as text.

    Args:
        numbers: What to print.
        form: `table`, `json` (a list of objects) or `csv`.
    """
    if form == "json":
        return json.dumps([number.as_json() for number in numbers], indent=1, allow_nan=False) + "\n"
    return _as_csv(numbers) if form == "csv" else _as_table(numbers)


def _named(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _as_csv(numbers: Sequence[Number]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fields = list(numbers[0].as_json())
    writer.writerow(fields)
    for number in numbers:
        values = number.as_json()
        writer.writerow([_cell(values[field]) for field in fields])
    return text.getvalue()


def _cell(value: object) -> object:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    # A spreadsheet would take such a text for a formula.
    return "'" + text if isinstance(text, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _as_table(numbers: Sequence[Number]) -> str:
    rows = [("definition", "rows", "value", "interval", "n", ""), *(_row(number) for number in numbers)]
    widths = [min(max(len(row[i]) for row in rows), limit) for i, limit in enumerate((44, 60, 12, 20, 10, 80))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _row(number: Number) -> tuple[str, ...]:
    place = {**number.group, **number.coordinates}
    where = _named(place) or "all rows"
    if number.reference:
        where += f" against {_named(number.reference)}"
    value = "-" if number.value is None else f"{number.value:.6g}"
    bounds = "" if number.low is None or number.high is None else f"{number.low:.4g} to {number.high:.4g}"
    remark = "; ".join(part for part in ("small" if number.small else "", number.reason or "") if part)
    cells = (number.definition, where, value, bounds, "" if number.n is None else f"{number.n:,}", remark)
    return tuple(printable(cell) for cell in cells)


def explain(text: str) -> str:
    """The path from one number to its data, as text.

    Raises:
        UsageError: The address is malformed, or no number has it.
    """
    from rai_assets.metrics.definitions import definition as definition_of
    from rai_assets.monitoring.performance.fairness import BASELINE

    address = Address.parse(text)
    try:
        repository = repository_of(address.use_case)
    except NotRun:
        find(address.use_case)
        raise
    try:
        commit = repository.resolve(address.commit)
        numbers = results.addressed_numbers(repository, commit, address.asset)
    except NotFound as error:
        raise UsageError(
            f"{address.use_case} has no result {address.asset} at {address.commit}",
            fix="copy an address from `rai metrics NAME --format json`, of a batch with --batch KEY",
        ) from error
    full = str(Address(address.use_case, commit, address.asset, address.definition, address.coordinates))
    found = [number for number in numbers if number.address == full]
    if not found:
        raise UsageError(
            f"no number has the address {text}",
            fix="copy one from `rai metrics NAME --format json`, of a batch with --batch KEY",
        )
    number, formula = found[0], definition_of(address.definition)
    folder, slash, asset = address.asset.rpartition("/")
    result = results.load(repository, commit, asset, whole=False, folder=folder + slash)
    read = here = result.provenance
    rows = ""
    if number.coordinates.get("chunk") == BASELINE:
        before = result.facts["reference"]
        rows, folder = f"the baseline, {before['split']} rows of ", ""
        read = here = replace(read, branch=MAIN, commit=before["commit"])
    elif not folder:
        here = results.load(repository, commit, "dataset", whole=False).provenance
    same = [f"            the same data as {_commit_in_words(repository, here)}"]
    if read.commit == here.commit:
        same = []
    lines = [
        _as_table(found).splitlines()[1],
        f"formula     {formula.id}: {formula.formula}" + (f"  ({formula.source})" if formula.source else ""),
        f"rows        {_rows_of(number)}",
        f"result      {address.asset} in results commit {commit}",
        f"model       {result.provenance.model or 'none: logged decisions'}",
        f"seed, code  {result.provenance.seed}, rai_assets {result.provenance.code_version}",
        f"data        {rows}{_commit_in_words(repository, read)}",
        *same,
        *_files(repository, here.commit, folder),
    ]
    return "\n".join(lines)


def _files(repository: VersionedRepository, commit: str, folder: str) -> list[str]:
    """The files that the rows of a data commit, or of the batch with that folder in it, came from."""
    from rai_assets.data.dataset import read_sources
    from rai_assets.monitoring.batches.batch import BatchRecord

    if not folder.startswith(BATCHES):
        files = read_sources(repository, commit).files
        return [_file(item.path, item.sha256, how_many(item.rows, "row")) for item in files]
    record = BatchRecord.read(repository, commit, folder.removeprefix(BATCHES))
    if record is None:
        return []
    rows = [how_many(count, "row") for count in record.source_rows] or [""] * len(record.tables)
    found = [_file(item.path, item.sha256, count) for item, count in zip(record.tables, rows, strict=True)]
    named = len(record.sources) - len(record.tables)
    return [*found, f"            and {how_many(named, 'file')} that these rows name"] if named else found


def _file(path: str, sha256: str, rows: str) -> str:
    return f"file        {printable(path)}  sha256 {sha256}  {rows}".rstrip()


def _rows_of(number: Number) -> str:
    """Which rows a number is about, and where it stands among its like."""
    parts = [
        *([f"n = {number.n:,}"] if number.n is not None else []),
        *([f"split {number.split}"] if number.split else []),
        f"group {_named(number.group)}" if number.group else "all groups",
        *([f"against {_named(number.reference)}"] if number.reference else []),
        *([_named(number.coordinates)] if number.coordinates else []),
    ]
    return ", ".join(parts)


def _commit_in_words(repository: VersionedRepository, read: Provenance) -> str:
    try:
        said = repository.get_commit(read.commit).message.partition("\n")[0]
    except NotFound:
        said = "that branch is gone, and the commit with it"
    return f"commit {read.commit} of branch {read.branch}: {said}"
