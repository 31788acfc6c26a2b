"""ONNX Runtime sessions on one thread, and the columns of a table as a full model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.model.columns import numbers_of, strings_of
from rai_assets.model.encoding import Feature

if TYPE_CHECKING:
    import onnxruntime

BATCH_ROWS = 65_536
_ERRORS_ONLY = 3
_FATAL_ONLY = 4


def open_session(model: bytes, *, quiet: bool = False) -> onnxruntime.InferenceSession:
    """A session on one thread that sleeps while it waits.

    Args:
        model: The ONNX file.
        quiet: True to keep the runtime's messages about a bad model off stderr; the exception has them.

    Raises:
        Exception: The runtime's own, where it cannot load the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _FATAL_ONLY if quiet else _ERRORS_ONLY
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def feeds(batch: pa.RecordBatch, features: Sequence[Feature]) -> dict[str, NDArray]:
    """Inputs of a model with one input per source column.

    Args:
        batch: n rows.
        features: The columns that are inputs.

    Returns:
        Per feature an array (n, 1): strings with "" where missing, or float32 with NaN where missing.

    Raises:
        UsageError: A column of text stands where the model reads a number.
    """
    return {
        item.name: (strings_of if item.kind == "category" else numbers_of)(batch.column(item.name)).reshape(-1, 1)
        for item in features
    }


def run_full(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], table: pa.Table, features: Sequence[Feature]
) -> list[NDArray]:
    """Outputs of a full model for every row of a table, in batches.

    Args:
        session: The model, with one input per feature.
        outputs: Names of its outputs.
        table: n rows, n >= 1.
        features: The columns that are inputs.

    Returns:
        One array per output, its first dimension n.
    """
    rows = table.select([item.name for item in features])
    parts = [session.run(list(outputs), feeds(batch, features)) for batch in rows.to_batches(BATCH_ROWS)]
    return [np.concatenate(of_output) for of_output in zip(*parts, strict=True)]
