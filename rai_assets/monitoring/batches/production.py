"""Production of one use case: its inboxes, its ledger, and the audit of one batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rai_assets.data.columns import ColumnSettings
from rai_assets.data.media.rows import named_files
from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.errors import InputRefused, UsageError
from rai_assets.keys import PRODUCTION, UseCaseKeys
from rai_assets.monitoring.batches.accept import Accepted, accept
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.batch import records
from rai_assets.monitoring.batches.contracts import ContractVersion
from rai_assets.monitoring.batches.entries import Taken
from rai_assets.monitoring.batches.intake import Looked, Spool, bring, file_key, look, slug
from rai_assets.monitoring.batches.label_inbox import LabelInbox
from rai_assets.monitoring.batches.named import Naming, is_table
from rai_assets.monitoring.batches.prepare import Asked
from rai_assets.monitoring.batches.remote import BranchInbox, S3Inbox
from rai_assets.monitoring.batches.settings import InboxSettings
from rai_assets.monitoring.batches.slicing import cut, slice_file, slot_key
from rai_assets.monitoring.batches.sources import FolderInbox, Found, Inbox
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.provenance import digest_of
from rai_assets.store.open import open_repository
from rai_assets.store.protocol import VersionedRepository
from rai_assets.store.stage import Stage

_TOGETHER = 100  # files that the ledger notes at once


@dataclass(frozen=True)
class Production:
    """What watches the batches of one use case.

    Attributes:
        keys: Names of the use case.
        dataset: The declared data set, for its contract.
        settings: The declared production.
        folder: Where declared paths start from.
        home: The state folder.
    """

    keys: UseCaseKeys
    dataset: DatasetSettings
    settings: ProductionSettings
    folder: Path
    home: Path

    @cached_property
    def inbox(self) -> Inbox:
        """Where data arrive."""
        return self._open(self.settings.inbox, *([self._naming.is_table] if self._naming else []))

    def _open(self, inbox: InboxSettings, is_table: Callable[[str], bool] = lambda _: True) -> Inbox:
        if inbox.s3 is not None:
            from rai_assets.monitoring.resource import s3_client

            return S3Inbox(inbox.s3, lambda: s3_client(inbox.endpoint))
        if inbox.branch is not None:
            repository = open_repository(self.home, inbox.repository or self.keys.repository, create=False)
            return BranchInbox(repository, inbox.branch, inbox.prefix)
        return FolderInbox(self.folder, inbox, is_table)

    @cached_property
    def _naming(self) -> Naming | None:
        """How tables of the inbox name files, where they do."""
        if self.dataset.media is None:
            return None
        declared = self.declared.format
        return Naming(lambda path: is_table(path, declared), self._names, self.settings.inbox.settle)

    def _names(self, path: str, sha256: str, keys: Sequence[str]) -> dict[str, set[str]]:
        """{batch: the files that its rows name} of a table whose bytes are kept."""
        kept = self.spool.find(sha256)
        assert kept is not None  # noqa: S101
        found = {}
        for key in keys:
            with TemporaryDirectory(dir=kept.parent) as base:
                asked = self.asked(key, (Taken(path, 0, 0.0, sha256),), ())
                try:
                    found[key] = named_files(
                        asked.settings(ContractVersion.declared(self.declared), Path(base)), Path(base)
                    )
                except InputRefused:  # the audit says why
                    continue
        return found

    @property
    def spool(self) -> Spool:
        """The bytes of files without a verdict."""
        return Spool(self._state / "taken")

    @property
    def _state(self) -> Path:
        return self.home / "production" / self.keys.name

    @contextmanager
    def arrivals(self, repository: VersionedRepository) -> Iterator[Arrivals]:
        """The ledger; one that is new is made from what the store has accepted.

        Raises:
            RaiError: It cannot be used, or the store cannot be reached.
        """
        with Arrivals(self._state / "arrivals.sqlite") as arrivals:
            if not arrivals.filled:
                heads = repository.branches(PRODUCTION)
                known = list(records(repository, heads[PRODUCTION])) if PRODUCTION in heads else []
                arrivals.fill((item.key, item.revision, item.rows, item.sources) for item in known)
            yield arrivals

    def look(self, arrivals: Arrivals, *, limit: int) -> Looked:
        """Look into the inbox, and take what is ready.

        Raises:
            RaiError: The inbox or the ledger cannot be reached.
        """

        def assign(found: Found, sha256: str) -> list[str]:
            return self._batches_of(found, sha256, arrivals)

        settle = _settle(self.settings.inbox)
        # By event time every file is read for its batches; so is one whose rows name others.
        together = 1 if self.settings.batch.by_event or self._naming is not None else _TOGETHER
        return look(
            self.inbox,
            arrivals,
            self.spool,
            assign,
            settle=settle,
            limit=limit,
            together=together,
            naming=self._naming,
        )

    def tidy(self, arrivals: Arrivals) -> None:
        """Remove the kept bytes of files whose batches are accepted."""
        with self.label_inbox.arrivals() as labels:
            self.spool.sweep(arrivals.digests_in_use() | labels.digests_in_use(), time.time())

    @cached_property
    def label_inbox(self) -> LabelInbox:
        """Where files with labels arrive."""
        settings, ledger = self.settings.labels, self._state / "labels.sqlite"
        if settings is None:
            return LabelInbox(self.keys.name, None, 0.0, self.spool, self.declared, ledger)
        opened = partial(self._open, settings)
        return LabelInbox(self.keys.name, opened, _settle(settings), self.spool, self.declared, ledger)

    def audit(self, stage: Stage) -> Accepted:
        """Publish the batch of a step, or put it into quarantine; the ledger is told.

        Raises:
            UsageError: No file of such a batch has arrived.
            RaiError: Its files, the store or the ledger cannot be reached.
        """
        with self.arrivals(stage.repository) as arrivals:
            sources = arrivals.sources(stage.batch)
            if not sources:
                raise UsageError(
                    f"no file of a batch {stage.batch!r} has arrived",
                    where=self.inbox.where,
                    fix="put its file into the inbox; the sensor adds the batch",
                )
            accepted = accept(
                self.asked(stage.batch, sources, arrivals.recent_rows(stage.batch)),
                stage.repository,
                run_id=stage.run_id,
                words={**stage.run_words, "use_case": self.keys.name},
                progress=stage.progress,
            )
            self.tell(arrivals, accepted)
        return accepted

    @staticmethod
    def tell(arrivals: Arrivals, accepted: Accepted) -> None:
        """Write the verdict on a batch into the ledger."""
        record, published = accepted.record, accepted.published
        arrivals.decided(
            record.key,
            record.digest,
            "accepted" if published else "quarantined",
            revision=record.revision if published else None,
            rows=record.rows,
            branch=None if published else accepted.branch,
            reason=accepted.reason,
        )

    def asked(self, key: str, sources: tuple[Taken, ...], former_rows: Sequence[int]) -> Asked:
        """A batch as it is to be audited."""
        return Asked(
            key=key,
            sources=sources,
            bring=lambda source: self._rows_of(source, key),
            declared=self.declared,
            rule=self.settings.batch,
            optional=frozenset({*self.dataset.with_role("target"), *self.settings.logged.columns}),
            former_rows=former_rows,
        )

    @cached_property
    def declared(self) -> DatasetSettings:
        """The declared contract of batches: with the format of the inbox, and the columns of logged predictions."""
        logged, changes = self.settings.logged, {}
        if self.settings.inbox.format is not None:
            changes["format"] = self.settings.inbox.format
        columns = dict(self.dataset.columns)
        if logged.score is not None:
            columns[logged.score] = ColumnSettings(role="context", dtype="number", missing="allowed")
        if logged.decision is not None:
            dtype = columns[self.dataset.with_role("target")[0]].dtype
            columns[logged.decision] = ColumnSettings(role="context", dtype=dtype, missing="allowed")
        return self.dataset.model_copy(update={**changes, "columns": columns})

    def _batches_of(self, found: Found, sha256: str, arrivals: Arrivals) -> list[str]:
        """The batches of a file whose bytes are kept."""
        rule = self.settings.batch
        if rule.rule == "per file":
            return [file_key(found.path, arrivals)]
        if rule.by == "arrival time":
            # A corrected file stays where it arrived first.
            return arrivals.keys_of(found.path) or [slot_key(rule, datetime.fromtimestamp(found.modified, UTC))]
        return self._slice(found.path, sha256)

    def _slice(self, path: str, sha256: str) -> list[str]:
        """The batches of a file's rows, which are kept sliced; one for the whole file where it cannot be read."""
        kept, sliced = self.spool.find(sha256), self.spool.sliced(sha256)
        assert kept is not None  # noqa: S101
        undated = f"undated-{slug(path)[:40]}-{digest_of(path)[:8]}"
        with TemporaryDirectory(dir=kept.parent) as base:
            name = path.rpartition("/")[2]
            (Path(base) / name).hardlink_to(kept)
            settings = self.declared.model_copy(update={"files": [FileSettings(path=name)]})
            timestamp = self.declared.with_role("timestamp")[0]
            fresh = self.spool.fresh()
            try:
                keys = slice_file(Path(base), settings, timestamp, self.settings.batch, undated, fresh)
                fresh.replace(sliced)
            except InputRefused:
                return [undated]
            finally:
                fresh.unlink(missing_ok=True)
        return sorted(keys)

    def _rows_of(self, source: Taken, key: str) -> tuple[Path, bool]:
        """A file with the rows of a batch, and whether they were cut out of the file that was taken."""
        kept = bring(self.inbox, self.spool, source)
        if source.named_by or not self.settings.batch.by_event:
            return kept, False
        sliced = self.spool.sliced(source.sha256)
        if not sliced.is_file():
            self._slice(source.path, source.sha256)
        if not sliced.is_file():
            return kept, False
        part = self.spool.fresh()
        cut(sliced, key, part)
        return part, True


def _settle(inbox: InboxSettings) -> float:
    return inbox.settle if inbox.complete == "unchanged" else 0.0
