"""A use case in production that costs little: batches are audited in this process, and nothing is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rai_assets.data.contract import Contract
from rai_assets.keys import UseCaseKeys
from rai_assets.monitoring.batches.accept import Accepted
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.labels import labels_of
from rai_assets.monitoring.batches.production import Production
from rai_assets.store.open import open_repository
from rai_assets.store.stage import Stage
from rai_assets.use_case.config import UseCase

KEYS = UseCaseKeys("meters")
BEGAN = 1_700_000_000
"""Files arrive from then on, a second apart at least; seconds since 1970."""
COLUMNS = {
    "id": {"role": "identifier", "dtype": "integer"},
    "load": {"role": "score", "dtype": "number", "threshold": 0.5},
    "broke": {"role": "target", "dtype": "category", "allowed": ["no", "yes"], "positive": "yes"},
}


class Plant:
    """A use case of logged scores whose labels come in files of their own, without a run of Dagster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("inbox", "outcomes"):
            (folder / name).mkdir()
        self.repository = open_repository(folder / "home", KEYS.repository)
        self.declare(COLUMNS)
        self._runs = 0

    def declare(self, columns: Mapping[str, Any]) -> None:
        """Its declaration, from now on."""
        production = {"inbox": {"path": "inbox", "settle": 0}, "labels": {"path": "outcomes", "settle": 0}}
        dataset = {"files": [{"path": "unused.csv"}], "columns": columns}
        use_case = UseCase.model_validate({"name": "meters", "dataset": dataset, "production": production})
        assert use_case.production is not None
        self.contract = Contract.of(use_case.dataset)
        self.production = Production(KEYS, use_case.dataset, use_case.production, self.folder, self.folder / "home")

    def put(self, name: str, text: str, at: float | None = None) -> None:
        """A file, `at` seconds after the beginning; after all others when left out."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)
        self._runs += 1
        changed = BEGAN + (self._runs if at is None else at)
        os.utime(self.folder / name, (changed, changed))

    def work(self) -> set[str]:
        """One look into both inboxes and the runs that it asks for; the batches of the runs."""
        with self.production.arrivals(self.repository) as ledger, self.production.label_inbox.arrivals() as labels:
            assert self.production.look(ledger, limit=50).problems == ()
            asked = {item.key for item in ledger.pending(50, 9e9)}
            for key in asked:
                self.run(key)
            self.problems = self.production.label_inbox.look(self.repository, labels, limit=50).problems
            more = {item.key for item in labels.pending(50, 9e9)}
            for key in more:
                self.run(key)
        return asked | more

    def run(self, key: str) -> Accepted:
        """The audit of one batch, and its labels if it is accepted."""
        self._runs += 1
        stage = Stage.of_batch(KEYS, key, self.repository, f"{self._runs:08d}", lambda *_: None)  # type: ignore[arg-type]
        accepted = self.production.audit(stage)
        if accepted.published:
            self.production.label_inbox.join(self.repository, [key], stage.run_words)
        return accepted

    def states(self) -> dict[str, str]:
        """{batch: its state}."""
        with self.production.arrivals(self.repository) as ledger:
            return {entry.key: entry.state for entry in ledger.entries()}

    def labels(self, key: str) -> list[str | None]:
        """The label of every row of a batch."""
        batch = Batch(self.repository, self.repository.resolve("production"), key)
        table, arrived = labels_of(self.repository, batch, self.contract)
        values = table.column("broke").to_pylist()
        return [values[at] if at >= 0 else None for at in arrived.label.tolist()]
