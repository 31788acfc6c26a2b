"""The path from one number to its data: formula, rows, result, model, commits, files."""

from __future__ import annotations

from dataclasses import replace

from rai_assets.charts.text import how_many
from rai_assets.errors import UsageError
from rai_assets.keys import BATCHES, MAIN
from rai_assets.metrics.number import Number
from rai_assets.progress import printable
from rai_assets.provenance import Address, Provenance
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.use_case.declaration import find
from rai_assets.use_case.number_text import as_table, named
from rai_assets.use_case.reading import NotRun, repository_of


def explain(text: str) -> str:
    """The path from one number to its data, as text.

    Raises:
        UsageError: The address is malformed, or no number has it.
    """
    from rai_assets.metrics.definitions import definition as definition_of
    from rai_assets.monitoring.performance.fairness import BASELINE

    address = Address.parse(text)
    repository = _repository(address.use_case)
    commit, number = _found(repository, address)
    formula = definition_of(address.definition)
    folder, slash, asset = address.asset.rpartition("/")
    result = results.load(repository, commit, asset, parts=(), folder=folder + slash)
    read = here = result.provenance
    rows = ""
    if number.coordinates.get("chunk") == BASELINE:
        before = result.facts["reference"]
        rows, folder = f"the baseline, {before['split']} rows of ", ""
        read = here = replace(read, branch=MAIN, commit=before["commit"])
    elif not folder:
        here = results.load(repository, commit, "dataset", parts=()).provenance
    same = [f"            the same data as {_commit_in_words(repository, here)}"]
    if read.commit == here.commit:
        same = []
    lines = [
        as_table([number]).splitlines()[1],
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


def _repository(use_case: str) -> VersionedRepository:
    try:
        return repository_of(use_case)
    except NotRun:
        find(use_case)  # which names what there is, if it is no use case at all
        raise


def _found(repository: VersionedRepository, address: Address) -> tuple[str, Number]:
    """The results commit of an address, and the number that it names there."""
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
            f"no number has the address {address}",
            fix="copy one from `rai metrics NAME --format json`, of a batch with --batch KEY",
        )
    return commit, found[0]


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
    others = len(record.sources) - len(record.tables)
    return [*found, f"            and {how_many(others, 'file')} that these rows name"] if others else found


def _file(path: str, sha256: str, rows: str) -> str:
    return f"file        {printable(path)}  sha256 {sha256}  {rows}".rstrip()


def _rows_of(number: Number) -> str:
    """Which rows a number is about, and where it stands among its like."""
    parts = [
        *([f"n = {number.n:,}"] if number.n is not None else []),
        *([f"split {number.split}"] if number.split else []),
        f"group {named(number.group)}" if number.group else "all groups",
        *([f"against {named(number.reference)}"] if number.reference else []),
        *([named(number.coordinates)] if number.coordinates else []),
    ]
    return ", ".join(parts)


def _commit_in_words(repository: VersionedRepository, read: Provenance) -> str:
    try:
        said = repository.get_commit(read.commit).message.partition("\n")[0]
    except NotFound:
        said = "that branch is gone, and the commit with it"
    return f"commit {read.commit} of branch {read.branch}: {said}"
