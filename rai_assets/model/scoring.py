"""`ScoringSession`: the one way that anything here gets a score out of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.errors import InputRefused
from rai_assets.model.decision import decide
from rai_assets.model.encoding import Encoding, Kind, require_columns
from rai_assets.model.linear import LinearCore
from rai_assets.model.records import FEW_ROWS
from rai_assets.model.runtime import BATCH_ROWS
from rai_assets.model.tell import Tell, silent

if TYPE_CHECKING:
    import onnx

    from rai_assets.model.core import Core
    from rai_assets.model.sandbox import Limits
    from rai_assets.model.version import ModelVersion

_SUM_TOLERANCE = 1e-4


class ScoringSession:
    """A model version, ready to score tables; a context manager.

    Our own exports run in this process: dictionary codes become the core's matrix and no string is touched per row. A
    supplied file runs in its worker.

    Args:
        version: The model.
        limits: What a supplied file may take; the default where None.

    Raises:
        InputRefused: A supplied file is not safe to load, or cannot be loaded within its limits.
    """

    def __init__(self, version: ModelVersion, limits: Limits | None = None) -> None:
        from rai_assets.model.sandbox import Sandbox
        from rai_assets.model.supplied import parse_model

        self.version = version
        self._order = [version.output_classes.index(item) for item in version.classes]
        if version.supplied:
            parse_model(version.onnx, version.estimator)
        with self._named():
            self._sandbox = Sandbox(version.onnx, version.output, limits) if version.supplied else None
        self._plain: pa.Schema | None = None
        self._core = version.core

    @property
    def task(self) -> str:
        """`binary`, `multiclass` or `regression`."""
        return self.version.task

    @property
    def features(self) -> tuple[str, ...]:
        """The source columns that the model reads, in declared order."""
        return tuple(item.name for item in self.version.features)

    @property
    def encoding(self) -> Encoding | None:
        """How source columns become the core's matrix; None for a supplied file."""
        return self.version.encoding

    @property
    def core_model(self) -> onnx.ModelProto | None:
        """The numeric core, matrix -> scores, for analyses that read it; None for a supplied file. Do not change it."""
        return None if self._core is None else self._core.model

    @property
    def linear(self) -> LinearCore | None:
        """The closed form of a linear core; None for every other model."""
        return None if self._core is None else self._core.linear

    def scores(self, table: pa.Table, tell: Tell = silent) -> NDArray[np.float64]:
        """Score every row.

        Args:
            table: Rows with the feature columns, in any column order.
            tell: Told how many rows are scored.

        Returns:
            Probabilities (n, k) in the order of the version's classes, or predicted values (n,).

        Raises:
            InputRefused: A feature is no column of the table, a number is infinite or beyond float32, or the model
                answers NaN, infinity or something else than probabilities.
            UsageError: A column with text stands where the model reads a number.
        """
        if self._core is not None and 0 < table.num_rows <= FEW_ROWS and self._is_plain(table.schema):
            return self.value_scores({name: table.column(name).to_pylist() for name in self.features})
        return self._scored([table], table.num_rows, tell)

    def stream(self, batches: Iterable[pa.RecordBatch], rows: int, tell: Tell = silent) -> NDArray[np.float64]:
        """`scores` of rows that are read as they are scored: of all batches only the answers are kept.

        Args:
            batches: Rows with the feature columns.
            rows: How many there are in all, for `tell`.
            tell: Told how many rows are scored.

        Returns:
            Probabilities (n, k) or predicted values (n,), as `scores`, in the order of the batches.

        Raises:
            InputRefused: As `scores`.
        """
        return self._scored((pa.Table.from_batches([batch]) for batch in batches), rows, tell)

    def value_scores(self, values: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Score a few rows of Python values, as `scores` would a table of them but without a table's fixed costs.

        Only where there is an `encoding`. `records.RecordScorer` asks this after it has checked the values.

        Args:
            values: n values of every feature; None or NaN for a missing one.

        Returns:
            Probabilities (n, k) or predicted values (n,), as `scores`.

        Raises:
            UsageError: A number was expected and the value is something else.
            InputRefused: A number is infinite or beyond float32, or the model answers NaN or infinity.
        """
        return self._checked(self._own_core().value_scores(values))

    def core_scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of encoded rows (n, m): probabilities (n, k), or values (n,). Only where there is an `encoding`.

        Raises:
            InputRefused: The model answers NaN or infinity.
        """
        core = self._own_core()
        size = core.encoding.batch_rows
        parts = [core.matrix_scores(matrix[start : start + size]) for start in range(0, len(matrix), size)]
        return self._checked(np.concatenate(parts) if parts else np.empty((0, len(self.version.classes) or 1)))

    def decisions(self, scores: NDArray[np.float64]) -> NDArray | None:
        """Class codes (n,) for `scores` (n, k): binary int8 {0, 1} by the threshold, multiclass int32.

        None for a regression.
        """
        return None if self.task == "regression" else decide(scores, self.version.threshold)

    @property
    def isolated(self) -> bool | None:
        """Whether a supplied file's process has no network; None for our own exports."""
        return None if self._sandbox is None else self._sandbox.isolated

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._sandbox is not None:
            self._sandbox.close()

    def __enter__(self) -> ScoringSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _scored(self, tables: Iterable[pa.Table], rows: int, tell: Tell) -> NDArray[np.float64]:
        # Our kernels read the rows as they stand; a matrix with many columns is made in smaller pieces.
        size = BATCH_ROWS if self.encoding is None or self.linear else self.encoding.batch_rows
        source = self._sandbox or self._core
        assert source is not None  # noqa: S101
        parts: list[NDArray[np.float64]] = []
        done = 0
        with self._named():
            for table in tables:
                require_columns(table, self.features)
                for start in range(0, table.num_rows, size):
                    batch = table.select(list(self.features)).slice(start, size)
                    parts.append(source.scores(batch))
                    done += batch.num_rows
                    tell("scoring rows", done, rows)
            return self._checked(np.concatenate(parts) if parts else np.empty((0, len(self.version.classes) or 1)))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """A refusal names the model as it was declared."""
        try:
            yield
        except InputRefused as error:
            where = error.where or self.version.estimator
            raise InputRefused(error.what, where=where, fix=error.fix) from error

    def _own_core(self) -> Core:
        if self._core is None:
            raise InputRefused(
                "a supplied model has no numeric core that could be scored by itself", fix="score whole rows instead"
            )
        return self._core

    def _is_plain(self, schema: pa.Schema) -> bool:
        """Whether the features are there as plain numbers and texts, which Python's values stand for exactly."""
        if self._plain is None or not schema.equals(self._plain):
            kinds = {item.name: item.kind for item in self.version.features}
            if not all(name in schema.names and _plain(schema.field(name).type, kind) for name, kind in kinds.items()):
                return False
            self._plain = schema
        return True

    def _checked(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        # One sum tells whether any value is broken; only then it is asked which.
        with np.errstate(invalid="ignore"):
            broken = np.zeros(1, bool) if np.isfinite(values.sum()) else ~np.isfinite(values).all(axis=1)
        if broken.any():
            raise InputRefused(
                f"the model answers NaN or infinity on {int(broken.sum()):,} of {how_many(len(values), 'row')}; "
                f"the first is row {int(broken.argmax()) + 1:,} of them",
                fix="mend the model, or keep such rows out by rules of the contract, e.g. `minimum` and `maximum`",
            )
        if self.task == "regression":
            if values.shape[1] != 1:
                raise InputRefused(
                    f"the model answers {how_many(values.shape[1], 'value')} per row where one is predicted",
                    fix="name the output with the predicted value in `model: onnx: output:`",
                )
            return values[:, 0]
        if self._sandbox is not None:
            values = _probabilities(values, len(self.version.classes))[:, self._order]
        # Sums of many leaves or of float32 values may pass 1 by a rounding error.
        return np.clip(values, 0.0, 1.0, out=values)


def _plain(kind: pa.DataType, holds: Kind) -> bool:
    if holds == "category":
        return pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind)
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _probabilities(values: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """The values, if they are probabilities of the classes.

    Raises:
        InputRefused: Wrong number of columns, values outside [0, 1], or rows that do not sum to 1.
    """
    fix = "name the output with probabilities; nothing is turned into one silently"
    if values.shape[1] != classes:
        raise InputRefused(
            f"the model's output has {how_many(values.shape[1], 'column')} and the target has {classes} classes",
            fix=fix,
        )
    outside = int(((values < -_SUM_TOLERANCE) | (values > 1 + _SUM_TOLERANCE)).any(axis=1).sum())
    sums = values.sum(axis=1)
    off = int((np.abs(sums - 1) > _SUM_TOLERANCE).sum())
    if outside or off:
        raise InputRefused(
            f"the model's output is no probability: in {outside:,} of {how_many(len(values), 'row')} a value is "
            f"outside [0, 1], {off:,} do not sum to 1 (smallest value {values.min():.4g}, largest {values.max():.4g})",
            fix=fix,
        )
    return values
