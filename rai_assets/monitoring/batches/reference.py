"""What production is compared with: the held-out rows of the champion's data, scored by the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rai_assets.compute.kept import Kept
from rai_assets.data.contract import Contract
from rai_assets.data.dataset import Dataset
from rai_assets.data.splits import NAMES
from rai_assets.errors import Undefined
from rai_assets.keys import MAIN, results_branch
from rai_assets.model.encoding import KINDS, Feature
from rai_assets.model.predictions import DECISION, SCORE, scores_of
from rai_assets.model.rows import ScoredRows, scored_rows
from rai_assets.model.scoring import ScoringSession
from rai_assets.monitoring.batches.batch import Batch
from rai_assets.monitoring.batches.labels import labels_of
from rai_assets.monitoring.batches.scoring import (
    Champion,
    batch_of,
    champion_digest,
    champion_of,
    lacking,
    predictions_of,
)
from rai_assets.monitoring.performance.labels import Arrived
from rai_assets.provenance import digest_of
from rai_assets.store import results
from rai_assets.store.protocol import NotFound, VersionedRepository
from rai_assets.store.stage import Stage

_REFERENCES = Kept(2)  # {reference: what this process has made of it}


@dataclass(frozen=True)
class Reference:
    """The rows that batches are compared with.

    Attributes:
        repository: Where they are stored.
        dataset: The data that the champion was audited on; those of `main` where decisions are logged.
        champion: The model that serves; None where decisions are logged.
        kept: What was read of it and made of it in this process.
    """

    repository: VersionedRepository
    dataset: Dataset
    champion: Champion | None
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    @property
    def contract(self) -> Contract:
        """Roles of the columns."""
        return self.kept.once("contract", lambda: self.dataset.contract)

    def contract_with(self, table: pa.Table) -> Contract:
        """The contract without the sensitive columns that a batch came without: their groups cannot be told."""
        there = set(table.column_names)
        kept = (item for item in self.contract.columns if item.name in there or "sensitive" not in item.roles)
        return replace(self.contract, columns=tuple(kept))

    @property
    def split(self) -> str:
        """The rows that are compared with: held out from training, or all where nothing was trained."""
        return "all" if self.champion is None else "test"

    @property
    def features(self) -> tuple[Feature, ...]:
        """The columns that place a row among others: those of the champion, or of the contract where there is none."""
        if self.champion is not None:
            return self.champion.version.features
        columns = [self.contract[name] for name in self.contract.features]
        return tuple(Feature(item.name, KINDS[item.dtype]) for item in columns if item.dtype in KINDS)

    def features_of(self, batch: Batch) -> tuple[Feature, ...]:
        """Those of `features` that the rows of a batch have, and hold what they held."""
        lacks = lacking(self.features, batch.contract)
        return tuple(item for item in self.features if item.name not in lacks)

    @property
    def digest(self) -> str:
        """What identifies the reference: a promotion opens a new epoch."""
        model = None if self.champion is None else self.champion.version.digest
        data = self.kept.once("version", lambda: self.dataset.version)
        return digest_of({"data": data, "model": model, "split": self.split})

    def calibration_split(self, wanted: str | None) -> str:
        """The split that says what a score means: as wanted, else calibration where there is one."""
        if self.champion is None:
            return "all"
        there = self.kept.once("splits", lambda: {NAMES[code] for code in np.unique(self.dataset.split_codes)})
        return wanted or ("calibration" if "calibration" in there else "test")

    def table(self, columns: Sequence[str] | None = None, split: str | None = None) -> pa.Table:
        """The rows that are compared with, or those of another split."""
        split = split or self.split
        table = self.kept.once(("table", split), lambda: self.dataset.table(split=split))
        return table if columns is None else table.select(list(columns))

    def scored(self, split: str) -> ScoredRows:
        """Rows of one split with what the champion, or the log, says of them."""
        return self.kept.once(("scored", split), lambda: self._scored(split))

    def _scored(self, split: str) -> ScoredRows:
        table = self.table(split=split)
        if self.champion is None:
            return scored_rows(self.contract, table, split)
        with ScoringSession(self.champion.version) as session:
            scores = session.scores(table)
        return scored_rows(self.contract, table, split, scores, self.champion.version.threshold)

    @property
    def importance(self) -> dict[str, float]:
        """Mean |effect on the score| of every feature in the champion's audit; empty where none was kept."""
        found = self.explanations()
        numbers = () if found is None else found.numbers
        sizes: dict[str, float] = {}
        for number in numbers:
            if number.definition == "mean_absolute_shap_value@1" and number.value is not None:
                feature = number.coordinates["feature"]
                sizes[feature] = max(number.value, sizes.get(feature, 0.0))
        return sizes

    def explanations(self) -> results.Result | None:
        """The champion's explanations as they stood when it was promoted; None where there are none."""
        return self.kept.once("explanations", self._explanations)

    def _explanations(self) -> results.Result | None:
        if self.champion is None:
            return None
        kept = self.repository.get_commit(self.champion.commit).metadata.get("results_commit", "")
        try:
            return results.load(self.repository, kept, "explanations") if kept else None
        except NotFound:
            return None


def reference_of(repository: VersionedRepository, use_case: str, *, has_model: bool) -> Reference:
    """The reference that holds now.

    Raises:
        RaiError: There is no champion yet.
        NotFound: Decisions are logged, and `main` was not audited yet.
    """
    champion = champion_of(repository, use_case) if has_model else None
    if champion is None:
        commit = results.load(repository, results_branch(MAIN), "dataset").provenance.commit
    else:
        commit = champion.data_commit
    # What these name is the same for ever; what was made of it speaks of no repository.
    kept = _REFERENCES.once((repository.repository, commit, champion and champion.commit), Kept)
    return Reference(repository, Dataset(repository, commit), champion, kept)


def reference_digest(stage: Stage, *, has_model: bool) -> str | None:
    """What identifies the reference, for the digest of inputs; None where there is none yet."""
    if has_model:
        return champion_digest(stage.repository)
    try:
        return stage.repository.tree_digest(results_branch(MAIN), "dataset/")
    except NotFound:
        return None


def scored_batch(stage: Stage, reference: Reference) -> ScoredRows:
    """The rows of a batch with what the champion, or the log, says of them; labels are not looked at.

    Args:
        stage: The step on the batch, whose rows and predictions are read.
        reference: Roles of the columns, and the champion.

    Raises:
        Undefined: The champion cannot score it, or it came without its weights, or without the logged columns.
    """
    champion = reference.champion and reference.champion.commit
    return stage.kept.once(("scored", champion), lambda: _scored_batch(stage, reference))


def _scored_batch(stage: Stage, reference: Reference) -> ScoredRows:
    contract, table = reference.contract, batch_of(stage).whole
    needed = [contract.weight, *(() if reference.champion else (contract.prediction, contract.score))]
    if gone := [name for name in needed if name is not None and name not in table.column_names]:
        raise Undefined(f"the batch has no column {', '.join(gone)}, without which its rows cannot be measured")
    target = contract.target
    unlabeled = table.drop_columns([target]) if target in table.column_names else table
    if reference.champion is None:
        return scored_rows(reference.contract, unlabeled, "all")
    predictions = predictions_of(stage)
    there = predictions.column_names
    scores = scores_of(predictions) if any(name.startswith(SCORE) for name in there) else None
    # What was logged stands, also where it is not what the threshold makes of the score.
    decided = pc.fill_null(predictions.column(DECISION), -1).to_numpy() if DECISION in there else None
    return scored_rows(reference.contract, unlabeled, "all", scores, reference.champion.version.threshold, decided)


def labels_of_scored(stage: Stage, reference: Reference, scored: ScoredRows) -> tuple[pa.Table, Arrived]:
    """The labels that have arrived for the rows of a batch, and which is whose.

    Args:
        stage: The step on the batch.
        reference: Roles of the columns; there is a target.
        scored: Its rows, by `scored_batch`.
    """
    labels, arrived = labels_of(stage.repository, batch_of(stage), reference.contract)
    return labels, replace(arrived, label=arrived.label[scored.keep])
