"""What every analysis gets: the audited rows, what the model or the log said of them, and the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from rai_assets.data.contract import Contract
from rai_assets.metrics.rows import Rows
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.tell import Tell, silent


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
