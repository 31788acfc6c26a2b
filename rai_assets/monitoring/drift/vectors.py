"""What is compared as a whole: vectors - embeddings, grids of pixels - and, when asked for, all columns together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.model.encoding import Feature
from rai_assets.monitoring.drift.calibration import holm
from rai_assets.monitoring.drift.columns import Kind
from rai_assets.monitoring.drift.multivariate import multivariate_drift
from rai_assets.monitoring.drift.order import by_blocks
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.drift.settings import DriftSettings

_WITH_P_VALUES = ("calibrated", "textbook")


def vector_array(vectors: Sequence[NDArray[np.float32] | None], dimensions: int) -> pa.Array:
    """Vectors as an Arrow column, missing where there is none."""
    lost = np.array([vector is None for vector in vectors], bool)
    values = np.zeros((len(vectors), dimensions), np.float32)
    for at, vector in enumerate(vectors):
        if vector is not None:
            values[at] = vector
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dimensions, mask=pa.array(lost))


def compare_vectors(
    name: str, reference: pa.Table, current: pa.Table, asked: DriftSettings, seed: int
) -> list[DriftRow]:
    """Vectors of both sides compared: can a classifier tell them apart, do they keep their relations.

    Args:
        name: Their column; vectors with a value that is not finite are left out.
        reference: Rows before, in their order.
        current: Rows now, in their order.
        asked: Level and order; a rule without p-values has no answer.
        seed: Of every random choice.
    """
    if asked.methods or asked.columns.get(name):
        return [DriftRow(name, "all", rule=asked.rule, reason="the named methods cannot compare vectors")]
    before, now = (_dimensions(table.column(name)) for table in (reference, current))
    features = [Feature(dimension, "number") for dimension in before.column_names]
    return [replace(row, column=name) for row in _compared(before, now, features, asked, seed, importance=False)]


def compare_columns(
    kinds: Mapping[str, Kind], reference: pa.Table, current: pa.Table, asked: DriftSettings, seed: int
) -> list[DriftRow]:
    """All columns of numbers and texts of both sides compared at once; the rows name no column.

    Args:
        kinds: What every column holds.
        reference: Rows before, in their order.
        current: Rows now, in their order.
        asked: Level and order; a rule without p-values has no answer.
        seed: Of every random choice.
    """
    features = [Feature(name, kind) for name, kind in kinds.items() if kind != "time"]
    return _compared(reference, current, features, asked, seed, importance=True)


def _compared(
    before: pa.Table, now: pa.Table, features: Sequence[Feature], asked: DriftSettings, seed: int, *, importance: bool
) -> list[DriftRow]:
    if asked.rule not in _WITH_P_VALUES:
        return [DriftRow("", "all", rule=asked.rule, reason=f"the rule {asked.rule!r} has no limit for whole rows")]
    ordered = asked.timestamp is not None or asked.chunks is not None
    found = multivariate_drift(
        before,
        now,
        features,
        seed=seed,
        ordered=ordered and by_blocks(asked, before.num_rows, now.num_rows),
        level=asked.level,
        minimum_effect=asked.minimum_effect,
        importance=importance,
    )
    return [replace(row, rule=asked.rule) for row in found.rows]


def _dimensions(column: pa.ChunkedArray) -> pa.Table:
    """A column of vectors as one column per dimension, without vectors that are missing or not finite."""
    column = column.drop_null()
    values = np.zeros((0, 1), np.float32)
    if len(column):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        values = flat.reshape(len(column), column.type.list_size)
    values = values[np.isfinite(values).all(axis=1)]
    return pa.table({str(at): dimension for at, dimension in enumerate(values.T)})


def one_family(rows: Sequence[DriftRow], asked: DriftSettings) -> list[DriftRow]:
    """The rows with their p-values adjusted for all of them, and the verdicts that follow."""
    told = [row for row in rows if row.p_value is not None]
    adjusted = dict(zip(map(id, told), holm(np.array([row.p_value for row in told])).tolist(), strict=True))
    return [_judged(row, adjusted[id(row)], asked) if id(row) in adjusted else row for row in rows]


def _judged(row: DriftRow, family: float, asked: DriftSettings) -> DriftRow:
    large = row.effect is None or abs(row.effect) >= asked.minimum_effect
    drifted = family <= asked.level and large
    return replace(row, family_p_value=family, drifted=drifted, drivers=row.drivers if drifted else "")
