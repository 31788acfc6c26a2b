"""What every analysis gets: the audited rows, what the model or the log said of them, and the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from rai_assets.charts.text import how_many
from rai_assets.data.contract import Contract
from rai_assets.metrics.rows import Rows
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.tell import Tell, silent
from rai_assets.store.stage import Stage


@dataclass(frozen=True)
class AuditInputs:
    """The inputs of one question asked of a model, or of logged decisions.

    Attributes:
        table: Rows of the audited split, all columns of the contract, strings dictionary-encoded.
        rows: The same rows with targets, decisions, scores and weights, in the same order.
        contract: Roles of the columns.
        session: The model, or None for logged decisions.
        background: Training rows, for explanations; None without a model.
        other_rows: Rows of the other splits by name.
        seed: Seed of every random choice.
        progress: Told (what, done, total).
        notes: Sentences on rows that were left out.
    """

    table: pa.Table
    rows: Rows
    contract: Contract
    session: ScoringSession | None = None
    background: pa.Table | None = None
    other_rows: Mapping[str, Rows] = field(default_factory=dict)
    seed: int = 0
    progress: Tell = silent
    notes: tuple[str, ...] = ()

    @property
    def model_digest(self) -> str | None:
        """SHA-256 of the ONNX file, or None for logged decisions."""
        return None if self.session is None else self.session.version.digest


def read_inputs(stage: Stage, *, has_model: bool) -> AuditInputs:
    """The inputs of one analysis from what earlier steps of the audit stored.

    Without a model all rows are audited, with one the test split; the others are there for comparison.

    Args:
        stage: The step that reads.
        has_model: Whether the use case declares a model.

    Raises:
        InputRefused: No row of the audited split can be measured.
    """
    from rai_assets.data.dataset import Dataset
    from rai_assets.data.splits import code_of, counts
    from rai_assets.model.predictions import scores_of
    from rai_assets.model.rows import scored_rows
    from rai_assets.model.version import ModelVersion

    dataset = Dataset(stage.repository, stage.data_commit)
    contract = dataset.contract
    if not has_model:
        logged = scored_rows(contract, dataset.table(), "all")
        notes = excluded_notes(logged.excluded)
        return AuditInputs(logged.table, logged.rows, contract, progress=stage.progress, notes=notes)
    version = ModelVersion.from_files(stage.result("model").files)
    scores = scores_of(stage.result("predictions").tables["predictions"])
    scored = {
        name: scored_rows(
            contract, dataset.table(split=name), name, scores[dataset.split_codes == code_of(name)], version.threshold
        )
        for name in counts(dataset.split_codes)
    }
    audited = scored.pop("test")
    return AuditInputs(
        audited.table,
        audited.rows,
        contract,
        session=ScoringSession(version),
        background=scored["train"].table,
        other_rows={name: value.rows for name, value in scored.items()},
        seed=version.seed,
        progress=stage.progress,
        notes=excluded_notes(audited.excluded),
    )


def excluded_notes(excluded: Mapping[str, int]) -> tuple[str, ...]:
    """One sentence per reason for which rows could not be measured."""
    return tuple(f"{how_many(count, 'row is', 'rows are')} left out: {reason}." for reason, count in excluded.items())
