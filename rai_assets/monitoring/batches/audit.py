"""Production of one use case: its inbox, its ledger, and the audit of one batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from rai_assets.data.settings import DatasetSettings, FileSettings
from rai_assets.errors import InputRefused, UsageError
from rai_assets.keys import PRODUCTION, UseCaseKeys
from rai_assets.metrics.number import Number
from rai_assets.monitoring.batches.accept import Accepted, Asked, accept
from rai_assets.monitoring.batches.arrivals import Arrivals, Taken
from rai_assets.monitoring.batches.batch import records
from rai_assets.monitoring.batches.intake import Looked, Spool, bring, file_key, look, slug
from rai_assets.monitoring.batches.slicing import cut, slice_file, slot_key
from rai_assets.monitoring.batches.sources import FolderInbox, Found, Inbox
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.provenance import Provenance, digest_of
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets.store.results import Result
from rai_assets.store.stage import Stage


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
        return FolderInbox(self.folder, self.settings.inbox)

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

        return look(self.inbox, arrivals, self.spool, assign, settle=self._settle, limit=limit)

    @property
    def _settle(self) -> float:
        return self.settings.inbox.settle if self.settings.inbox.complete == "unchanged" else 0.0

    def tidy(self, arrivals: Arrivals) -> None:
        """Remove the kept bytes of files whose batches are accepted."""
        self.spool.sweep(arrivals.digests_in_use(), time.time())

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
            former_rows=former_rows,
        )

    @property
    def declared(self) -> DatasetSettings:
        """The declared contract, with the format of the inbox."""
        written = self.settings.inbox.format
        return self.dataset if written is None else self.dataset.model_copy(update={"format": written})

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
        if not self.settings.batch.by_event:
            return kept, False
        sliced = self.spool.sliced(source.sha256)
        if not sliced.is_file():
            self._slice(source.path, source.sha256)
        if not sliced.is_file():
            return kept, False
        part = self.spool.fresh()
        cut(sliced, key, part)
        return part, True

    @staticmethod
    def summarize(stage: Stage, accepted: Accepted) -> tuple[Result, str, bool]:
        """Store what is known of a published batch as the result of `batch`.

        Returns:
            The result, the results commit that holds it, and whether it was there already.
        """
        result, digest = batch_result(stage.keys, accepted)
        found = results.find(stage.repository, stage.results_branch, "batch", digest, stage.folder)
        if found is not None:
            return results.load(stage.repository, found.id, "batch", folder=stage.folder), found.id, True
        return result, stage.save(result, digest), False


def batch_result(keys: UseCaseKeys, accepted: Accepted) -> tuple[Result, str]:
    """What is known of a published batch, and the digest of what that depends on."""
    record = accepted.record
    provenance = Provenance(keys.name, PRODUCTION, accepted.commit)
    result = Result(
        asset="batch",
        provenance=provenance,
        numbers=[Number("count@1", float(record.rows), n=record.rows, unit="count").pinned(provenance)],
        facts={
            "rows": record.rows,
            "revision": record.revision,
            "contract": record.contract,
            "time": record.time,
            "span": record.span,
            "sources": {source.path: source.sha256 for source in record.sources},
            "rules": list(record.findings),
        },
    )
    return result, digest_of({"asset": "batch", "revision": record.revision, "files": record.digest})
