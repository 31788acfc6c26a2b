"""From rows somewhere to a table that is ready to be stored: read, converted, and checked by the contract's rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rai_assets.data.contract import Contract
from rai_assets.data.conversion import Conversion
from rai_assets.data.dataset import CONTRACT, MANIFEST, MEDIA, PREFIX, SOURCES, TABLE, Source, read_sources
from rai_assets.data.factories import materialized
from rai_assets.data.media.folder import FolderFiles
from rai_assets.data.media.rows import MediaFiles, MediaRows
from rai_assets.data.media.stored import StoredFiles
from rai_assets.data.paths import resolve
from rai_assets.data.readers import read_batches
from rai_assets.data.rules import RuleResult
from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.data.table_file import TableWriter
from rai_assets.data.validation import Validator
from rai_assets.errors import InputRefused
from rai_assets.store.protocol import ChangeSet, VersionedRepository

Progress = Callable[[str, int, int], None]
Origin = Literal["declared", "given"]
PARQUET = "application/vnd.apache.parquet"
EDITED = f"{TABLE}, edited on the branch"


@dataclass(frozen=True)
class Staged:
    """Rows ready to be stored.

    Attributes:
        table: The Parquet file.
        sha256: Its digest.
        contract: With what the rows told.
        sources: Where the rows came from.
        rules: The outcome of every rule of the contract.
        origin: `declared` if the files are those of the declaration, `given` if a person brought the rows.
        media: What is known of the files that the rows name; None for a table alone.
    """

    table: Path
    sha256: str
    contract: Contract
    sources: tuple[Source, ...]
    rules: tuple[RuleResult, ...]
    origin: Origin
    media: MediaRows | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(source.rows for source in self.sources)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the rules that do not hold."""
        return tuple(rule.rule for rule in self.rules if not rule.passed)

    @property
    def words(self) -> dict[str, str]:
        """What the commit that stores them says of them."""
        return {
            "rows": str(self.rows),
            "rules": f"{len(self.rules) - len(self.failed)} of {len(self.rules)} hold",
            **({"failed_rules": ", ".join(self.failed)} if self.failed else {}),
        }

    def changes(self) -> ChangeSet:
        """What storing them writes; nothing else stays under the prefix but media files, which are stored before."""
        files = [source.as_json() for source in self.sources]
        sources = {"origin": self.origin, "table": self.sha256, "files": files}
        changes = ChangeSet()
        if self.media is None:
            changes.delete_prefix(PREFIX)
        else:
            changes.adopt(MANIFEST, self.media.manifest, PARQUET)
            changes.put(MEDIA, _json(self.media.summary()), "application/json")
        return (
            changes.adopt(TABLE, self.table, PARQUET)
            .put(CONTRACT, _json(self.contract.as_json()), "application/json")
            .put(SOURCES, _json(sources), "application/json")
        )


def stage_files(
    settings: DatasetSettings,
    base: Path,
    folder: Path,
    progress: Progress,
    origin: Origin = "declared",
    media_files: MediaFiles | None = None,
    optional: Collection[str] = (),
) -> Staged:
    """Read, convert, check and write the rows of files, once through, in memory that does not grow with them.

    Args:
        settings: The files and their contract.
        base: The folder relative paths start from.
        folder: Where the table is written; one of the store's `scratch` folders.
        progress: Told (what, bytes done, bytes in all).
        origin: Whose files they are.
        media_files: The files that the rows name, where they are not those of the declared folder.
        optional: Columns that a file may lack; they are missing in its rows then.

    Raises:
        InputRefused: A file cannot be read, or there are no rows.
    """
    names = [file.name for file in settings.files]
    settings = materialized(settings, base, folder)
    before = [_fingerprint(resolve(base, file.path)) for file in settings.files]
    conversion = Conversion(settings, Contract.of(settings))
    table = folder / "table.parquet"
    rows = [0] * len(settings.files)
    with ExitStack() as stack:
        validator = stack.enter_context(Validator(settings, optional))
        media = None
        if settings.media is not None:
            files = media_files or FolderFiles(base, settings.media.folder, progress)
            media = stack.enter_context(MediaRows(settings, files, folder / "manifest.parquet", validator.violate))
        writer: TableWriter | None = None
        for batch in read_batches(settings, base, progress):
            converted = conversion.convert(batch if media is None else media.describe(batch))
            validator.add(converted)
            rows[batch.file] += converted.data.num_rows
            writer = writer or stack.enter_context(TableWriter(table, converted.data.schema))
            writer.write(converted.data)
        if not any(rows):
            raise InputRefused(
                "the files have no rows", where=", ".join(names)[:500], fix="declare files with rows under the header"
            )
        contract = conversion.finished_contract().with_labels(validator.labels)
        rules = tuple(validator.results())
    sources = []
    for name, file, count, fingerprint in zip(names, settings.files, rows, before, strict=True):
        path = resolve(base, file.path)
        sources.append(Source(name, _sha256(path, progress), count, file.split))
        if _fingerprint(path) != fingerprint:
            raise InputRefused("the file changed while it was read", where=name, fix="run again")
    return Staged(table, _sha256(table, progress), contract, tuple(sources), rules, origin, media)


def stage_stored(
    settings: DatasetSettings, repository: VersionedRepository, commit: str, folder: Path, progress: Progress
) -> Staged:
    """Read, convert, check and write the rows that a commit holds, whoever wrote them there.

    The same rows give the same bytes: data that came this way once are not changed by it.

    Args:
        settings: The declaration, for its contract.
        repository: Where they are stored.
        commit: Id of their commit.
        folder: Where the table is written; one of the store's `scratch` folders.
        progress: Told (what, bytes done, bytes in all).

    Raises:
        InputRefused: The table cannot be read.
    """
    stored = folder / TABLE
    stored.parent.mkdir()
    digest = repository.download(commit, TABLE, stored).sha256
    files = None if settings.media is None else StoredFiles(repository, commit, folder)
    staged = stage_table(settings, folder, progress, files)
    before = read_sources(repository, commit)
    if before.table == digest:
        return replace(staged, sources=before.files)
    by_file = any(file.split for file in settings.files)
    return replace(staged, sources=_edited(staged, before.files if by_file else None))


def stage_table(settings: DatasetSettings, folder: Path, progress: Progress, files: MediaFiles | None = None) -> Staged:
    """Read, convert, check and write the rows of a stored table that lies in a folder, under its path in the store."""
    as_stored = settings.model_copy(
        update={
            "files": [FileSettings(path=TABLE)],
            "format": "parquet",
            "header": True,
            "trim": False,
            "aliases": {},
            "columns": {name: column for name, column in settings.columns.items() if column.roles != ("ignored",)},
        }
    )
    return stage_files(as_stored, folder, folder, progress, "given", files)


def _edited(staged: Staged, before: Sequence[Source] | None) -> tuple[Source, ...]:
    """What is known of the origin of rows that were edited; where files name the splits, which rows are whose."""
    (whole,) = staged.sources
    if before is None:
        return (replace(whole, path=EDITED),)
    known = sum(source.rows for source in before)
    if known != whole.rows:
        raise InputRefused(
            f"the edited table has {whole.rows:,} rows, and the files that named its splits {known:,}: it does not say "
            "which rows are of which split",
            where=TABLE,
            fix="edit values only, or bring a file for each split with `rai ingest`",
        )
    return tuple(replace(whole, path=EDITED, rows=source.rows, split=source.split) for source in before)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode()


def _fingerprint(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _sha256(path: Path, progress: Progress) -> str:
    digest, size, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as stream:
        while chunk := stream.read(4 << 20):
            digest.update(chunk)
            done += len(chunk)
            progress(f"hashing {path.name}", done, size)
    return digest.hexdigest()
