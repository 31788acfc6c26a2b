"""One asset's result in a repository: numbers, charts, tables, notes, files and facts under `<asset>/`.

What is asked of a batch of production stands one folder deeper, under `batches/<key>/<asset>/`: the functions here take
that folder, with its slash, and the root when it is left out.

`result.json` holds provenance, facts, notes, the digest of the inputs and the names of the parts; beside it lie
`numbers.json`, `charts/<name>.json`, `tables/<name>.parquet` and `files/<name>`. The same result gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rai_assets.errors import RaiError, UsageError
from rai_assets.keys import results_branch
from rai_assets.metrics.number import Number
from rai_assets.provenance import Provenance
from rai_assets.store.changes import ChangeSet
from rai_assets.store.errors import NoChanges, NotFound
from rai_assets.store.open import ensure_branch
from rai_assets.store.protocol import Commit, VersionedRepository
from rai_assets.store.result_bytes import content_type, decode_numbers, decode_table, encode

if TYPE_CHECKING:
    import pyarrow as pa

    from rai_assets.metrics.findings import Findings

READS = "reads"  # the fact that holds the digests of what it was made from, as `read_digest` gives them
DATA = "data"  # the fact that holds the digest of the data, by which results of the same data are known
_ASSET = re.compile(r"[a-z][a-z_]*")


@dataclass(frozen=True)
class Result:
    """What one asset found.

    Attributes:
        asset: Name of the asset, lower-case letters and `_`.
        provenance: What it was computed from.
        numbers: The published numbers, in the order in which they are shown.
        charts: Name to Vega-Lite specification.
        tables: Name to Arrow table.
        notes: Sentences for people.
        files: Name to bytes, e.g. `model.onnx`.
        facts: Everything else as JSON: settings, verdicts, versions.
    """

    asset: str
    provenance: Provenance
    numbers: list[Number] = field(default_factory=list)
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def of_findings(asset: str, provenance: Provenance, found: Findings, facts: Mapping[str, Any]) -> Result:
    """The result of a question: what was found, its numbers pinned."""
    return Result(
        asset=asset,
        provenance=provenance,
        numbers=[number.pinned(provenance) for number in found.numbers],
        charts=found.charts,
        tables=found.tables,
        notes=found.notes,
        facts={**facts, "single_rows": list(found.single_rows)},
    )


def save(
    repository: VersionedRepository,
    branch: str,
    result: Result,
    input_digest: str,
    *,
    message: str,
    metadata: Mapping[str, str],
    folder: str = "",
) -> Commit:
    """Commit a result, and drop the parts of an earlier one that it has no longer.

    A branch that is not there starts at the repository's first commit.

    Args:
        repository: The use case's repository.
        branch: The results branch.
        result: What to write.
        input_digest: Digest over everything the result depends on, for `find`.
        message: Message of the commit.
        metadata: Run id and the like; not part of the stored bytes.
        folder: Where it stands.

    Returns:
        The new commit, or the head where the branch holds exactly this result already.

    Raises:
        UsageError: The asset's name cannot stand in an address.
        InvalidPath: The name of a part cannot be a path.
    """
    changes = ChangeSet()
    write(changes, result, input_digest, folder)
    ensure_branch(repository, branch)
    try:
        return repository.commit(branch, changes, message, metadata)
    except NoChanges:
        return repository.get_commit(branch)


def write(changes: ChangeSet, result: Result, input_digest: str, folder: str = "") -> None:
    """Add a result to a change set, in the place of an earlier one.

    Raises:
        UsageError: The asset's name cannot stand in an address.
        InvalidPath: The name of a part cannot be a path.
    """
    if not _ASSET.fullmatch(result.asset):
        raise UsageError(f"{result.asset!r} is no asset name", fix="use lower-case letters and '_'")
    changes.delete_prefix(f"{folder}{result.asset}/")
    for path, content in encode(result, input_digest):
        changes.put(f"{folder}{result.asset}/{path}", content, content_type(path))


def load(
    repository: VersionedRepository,
    ref: str,
    asset: str,
    *,
    parts: Collection[str] | None = None,
    folder: str = "",
) -> Result:
    """Read a result. Its numbers are pinned to the data commit, but not addressed.

    Args:
        repository: The use case's repository.
        ref: The commit to read.
        asset: Name of the asset.
        parts: The charts, tables and files that are read, by name; all when left out.
        folder: Where it stands.

    Raises:
        NotFound: There is no such ref, or it holds no result of this asset.
    """
    commit, place = repository.resolve(ref), f"{folder}{asset}"
    head = _head(repository, commit, place)
    provenance = Provenance(**head["provenance"])
    there = {kind: [name for name in names if parts is None or name in parts] for kind, names in head["parts"].items()}
    return Result(
        asset=asset,
        provenance=provenance,
        numbers=_numbers(repository, commit, place, provenance),
        charts={name: json.loads(_read(repository, commit, f"{place}/charts/{name}.json")) for name in there["charts"]},
        tables={
            name: decode_table(_read(repository, commit, f"{place}/tables/{name}.parquet")) for name in there["tables"]
        },
        notes=head["notes"],
        files={name: _read(repository, commit, f"{place}/files/{name}") for name in there["files"]},
        facts=head["facts"],
    )


def refuse_outdated(repository: VersionedRepository, commit: str, result: Result, folder: str = "") -> None:
    """Make sure that a result was made from the results that are stored beside it.

    Every result keeps the digests of what it read; a model that was made again leaves the old one's audit behind.

    Raises:
        RaiError: One of them is another now.
    """
    for name, digest in result.facts.get(READS, {}).items():
        if read_digest(repository, commit, name, folder) != digest:
            use_case = result.provenance.use_case
            raise RaiError(
                f"{result.asset} was made from another {name} than the one stored now",
                where=use_case,
                fix="make it again: "
                + ("" if folder else f"`rai run {use_case}`, or ")
                + f"materialize {use_case}/{result.asset}",
            )


def read_digest(repository: VersionedRepository, commit: str, asset: str, folder: str = "") -> str:
    """What a result is to those made from it: of `dataset` the data, whichever commit holds them; else its bytes."""
    if f"{folder}{asset}" == "dataset" and _holds(repository, commit, "dataset/result.json"):
        data = _head(repository, commit, asset)["facts"].get(DATA)
        if data:
            return str(data)
    return repository.tree_digest(commit, f"{folder}{asset}/")


def addressed_numbers(repository: VersionedRepository, ref: str, asset: str) -> list[Number]:
    """The numbers of a result with their addresses in the commit that `ref` names now.

    Of a batch `asset` is what stands in the address: `batches/<key>/<asset>`.

    Raises:
        NotFound: There is no such ref, or it holds no result of this asset.
    """
    commit = repository.resolve(ref)
    provenance = Provenance(**_head(repository, commit, asset)["provenance"])
    numbers = _numbers(repository, commit, asset, provenance)
    return [number.addressed(provenance.use_case, commit, asset) for number in numbers]


def find(
    repository: VersionedRepository, branch: str, asset: str, input_digest: str, folder: str = ""
) -> Commit | None:
    """The head of `branch` if it holds a result of `asset` made from the same inputs, else None.

    Args:
        repository: The use case's repository.
        branch: The results branch, or another ref.
        asset: Name of the asset.
        input_digest: Digest over everything the result depends on.
        folder: Where it stands.
    """
    try:
        head = repository.get_commit(branch)
        stored = _head(repository, head.id, f"{folder}{asset}")
    except NotFound:
        return None
    return head if stored["input_digest"] == input_digest else None


def take_over(
    repository: VersionedRepository,
    branch: str,
    asset: str,
    input_digest: str,
    *,
    message: str,
    metadata: Mapping[str, str],
) -> Commit | None:
    """Copy a result made from the same inputs from another results branch, byte by byte.

    Its provenance goes on naming the branch and the commit that were read.

    Args:
        repository: The use case's repository.
        branch: The results branch that takes it.
        asset: Name of the asset.
        input_digest: Digest over everything the result depends on.
        message: Message of the commit.
        metadata: Kept with the commit, beside `reused_from`: the results commit that it was copied from.

    Returns:
        The new commit, or None where no branch has such a result.
    """
    for head in dict.fromkeys(repository.branches(results_branch("")).values()):
        found = find(repository, head, asset, input_digest)
        if found is None:
            continue
        changes = ChangeSet().delete_prefix(f"{asset}/")
        for item in repository.list_objects(found.id, f"{asset}/"):
            changes.put(item.path, _read(repository, found.id, item.path), item.content_type)
        ensure_branch(repository, branch)
        return repository.commit(branch, changes, message, {**metadata, "reused_from": found.id})
    return None


def assets(repository: VersionedRepository, ref: str, folder: str = "") -> list[str]:
    """Names of the assets that have a result in a commit, in one folder, sorted.

    Raises:
        NotFound: There is no such ref.
    """
    commit = repository.resolve(ref)
    found = [item.path for item in repository.list_objects(commit, folder, delimiter="/") if item.is_prefix]
    return [path[len(folder) : -1] for path in found if _holds(repository, commit, f"{path}result.json")]


def _numbers(repository: VersionedRepository, commit: str, asset: str, provenance: Provenance) -> list[Number]:
    return decode_numbers(_read(repository, commit, f"{asset}/numbers.json"), provenance)


def _head(repository: VersionedRepository, commit: str, asset: str) -> dict[str, Any]:
    try:
        return dict(json.loads(_read(repository, commit, f"{asset}/result.json")))
    except NotFound as fault:
        raise NotFound(
            f"{asset!r} has no result in commit {commit[:12]}",
            where=repository.repository,
            fix="`rai run` makes it",
        ) from fault


def _read(repository: VersionedRepository, ref: str, path: str) -> bytes:
    with repository.open(ref, path) as stream:
        return stream.read()


def _holds(repository: VersionedRepository, ref: str, path: str) -> bool:
    try:
        repository.stat(ref, path)
    except NotFound:
        return False
    return True
