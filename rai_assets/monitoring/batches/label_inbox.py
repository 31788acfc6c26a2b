"""Labels that come in files of their own: looked for, written beside their rows, joined to rows that come later."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from rai_assets.data.settings import DatasetSettings
from rai_assets.monitoring.batches.accept import reference_labels
from rai_assets.monitoring.batches.arrivals import Arrivals
from rai_assets.monitoring.batches.entries import sources_digest
from rai_assets.monitoring.batches.intake import Looked, Spool, look
from rai_assets.monitoring.batches.label_store import join_waiting, keep_labels
from rai_assets.monitoring.batches.labels import read_labels
from rai_assets.monitoring.batches.sources import Found, Inbox
from rai_assets.store.protocol import VersionedRepository


@dataclass(frozen=True)
class LabelInbox:
    """Where files with labels arrive.

    Attributes:
        use_case: Name of the use case.
        open: Opens what they arrive in; None where none is declared.
        settle: Seconds for which a file has kept its size and stamp before it is taken.
        spool: Where their bytes are kept.
        declared: The declared contract of batches.
        ledger: The file of the ledger of what has arrived.
    """

    use_case: str
    open: Callable[[], Inbox] | None
    settle: float
    spool: Spool
    declared: DatasetSettings
    ledger: Path

    def arrivals(self) -> Arrivals:
        """The ledger of files with labels; its batches are those that have labels in them.

        Raises:
            RaiError: It cannot be used.
        """
        return Arrivals(self.ledger)

    def look(self, repository: VersionedRepository, arrivals: Arrivals, *, limit: int) -> Looked:
        """Look into the inbox, and take what is ready: the labels are written beside their rows.

        Raises:
            RaiError: The inbox, the ledger or the store cannot be reached.
        """
        if self._inbox is None:
            return Looked({}, 0, ())

        def assign(found: Found, sha256: str) -> list[str]:
            kept = self.spool.find(sha256)
            assert kept is not None  # noqa: S101
            if arrivals.has_bytes(found.path, sha256):
                return []
            labels = self._labels_in(repository, kept, found.path)
            former, words = arrivals.keys_of(found.path), {"use_case": self.use_case}
            return keep_labels(repository, found.path, labels, self._identifiers, former, words)

        return look(self._inbox, arrivals, self.spool, assign, settle=self.settle, limit=limit)

    def join(self, repository: VersionedRepository, keys: Sequence[str], words: Mapping[str, str]) -> None:
        """Give accepted batches the labels that came before them; the ledger is told that all of theirs are there.

        Raises:
            RaiError: The store or the ledger cannot be reached.
        """
        if self.open is None:
            return
        joined = join_waiting(repository, keys, self._identifiers, {**words, "use_case": self.use_case})
        with self.arrivals() as arrivals:
            for key in keys:
                for path in joined.get(key, ()):
                    arrivals.add(path, [key])
                arrivals.decided(key, sources_digest(arrivals.sources(key)), "accepted")

    @cached_property
    def _inbox(self) -> Inbox | None:
        return None if self.open is None else self.open()

    @property
    def _identifiers(self) -> list[str]:
        return self.declared.with_role("identifier")

    def _labels_in(self, repository: VersionedRepository, kept: Path, path: str) -> pa.Table:
        name = path.rpartition("/")[2]
        with repository.scratch() as folder:
            shutil.copyfile(kept, folder / name)
            (folder / "made").mkdir()
            return read_labels(self.declared, reference_labels(repository), folder, name, folder / "made")
