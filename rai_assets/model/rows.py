"""From a table and a model's scores, or the logged ones, to the rows that metrics are computed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.contract import Contract
from rai_assets.errors import InputRefused, UsageError
from rai_assets.metrics.rows import Rows
from rai_assets.model.columns import as_dictionary, numbers_of
from rai_assets.model.decision import decide


@dataclass(frozen=True)
class ScoredRows:
    """Rows that can be measured.

    Attributes:
        rows: Targets, decisions, scores and weights, n of them.
        table: The same rows of the table, in the same order.
        keep: Which rows of the given table these are, shape (rows given,).
        excluded: Rows left out, by the reason.
    """

    rows: Rows
    table: pa.Table
    keep: NDArray[np.bool_]
    excluded: dict[str, int] = field(default_factory=dict)


def scored_rows(
    contract: Contract,
    table: pa.Table,
    split: str,
    scores: NDArray[np.float64] | None = None,
    threshold: float | None = None,
    decided: NDArray[np.integer] | None = None,
) -> ScoredRows:
    """Join what is true of the rows with what the model, or the log, said of them.

    Args:
        contract: Roles of the columns.
        table: Rows of one split; without a column of the target its labels have not arrived.
        split: Its name.
        scores: A model's answer, (n, k) probabilities or (n,) values, in the order of the table; NaN where it is not
            known. None, and no `decided`: the columns with the roles prediction and score speak. A logged decision
            stands as it is; where only a score is logged, a decision is `score >= threshold` of the score column.
        threshold: Binary: the decision on a model's score is `score >= threshold`; None for other tasks.
        decided: Classes that were decided whatever the scores say, (n,); -1 where they are not known.

    Raises:
        UsageError: There are neither scores nor logged columns, or no target kind to speak of.
        InputRefused: A logged decision is no class of the target, or no row is left.
    """
    if contract.task is None:
        raise UsageError(
            "the data has neither target, prediction nor score: there is nothing to measure",
            fix="give a column one of these roles",
        )
    known: dict[str, NDArray[np.bool_]] = {}
    target = None
    if contract.target is not None and contract.target in table.column_names:
        target, known["target missing"] = values_of(contract, table, contract.target)
    if scores is None and decided is None:
        decision, score, probability = _logged(contract, table, known)
    else:
        decision, score = _said(contract, scores, threshold, decided, known)
        probability = score is not None and contract.task != "regression"
    weight = None
    if contract.weight is not None:
        weight, known["weight missing"] = weights_of(table, contract.weight)
    keep, excluded = _measurable(known, table.num_rows, split)

    def kept(values: NDArray | None) -> NDArray | None:
        return None if values is None else values[keep]

    rows = Rows(
        task=contract.task,
        classes=contract.classes,
        target=kept(target),
        decision=kept(decision),
        score=kept(score),
        probability=probability,
        weight=kept(weight),
        split=split,
    )
    return ScoredRows(rows, table if keep.all() else table.filter(pa.array(keep)), keep, excluded)


def _measurable(known: Mapping[str, NDArray[np.bool_]], n: int, split: str) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which rows have everything, and how many others there are, by the first reason that leaves them out."""
    keep = np.ones(n, bool)
    excluded = {}
    for reason, present in known.items():
        lost = int((keep & ~present).sum())
        if lost:
            excluded[reason] = lost
        keep &= present
    if not keep.any():
        why = "; ".join(f"{reason} in {count}" for reason, count in excluded.items())
        raise InputRefused(
            f"no row of {split!r} can be measured{f': {why}' if why else ''}",
            fix="check the columns of the target, the logged decisions and the weights, and the split",
        )
    return keep, excluded


def values_of(contract: Contract, table: pa.Table, column: str) -> tuple[NDArray, NDArray[np.bool_]]:
    """The target, or a logged decision, as numbers, and which of them are known.

    Args:
        contract: What kind of target there is, and its classes.
        table: n rows.
        column: The target, or the column of logged decisions.

    Returns:
        Values (n,): binary int8, 1 for the positive label, 0 for any other; multiclass int32, index into the classes;
        regression float64; 0 where not known. And bool (n,): which are known.

    Raises:
        InputRefused: Multiclass: a label that is none of the classes.
    """
    chunks = table.column(column).chunks
    if contract.task == "regression":
        values = _joined([numbers_of(chunk, pa.float64()) for chunk in chunks], np.float64)
        present = ~np.isnan(values)
        return np.where(present, values, 0.0), present
    codes = _joined([_codes(contract, chunk, column) for chunk in chunks], np.int32)
    present = codes >= 0
    kind = np.int8 if contract.task == "binary" else np.int32
    return np.where(present, codes, 0).astype(kind), present


def weights_of(table: pa.Table, column: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The row weights and which are known.

    Args:
        table: n rows.
        column: The column of weights.

    Returns:
        float64 (n,), >= 0 and finite, 0 where missing; and bool (n,).

    Raises:
        InputRefused: A weight is negative or infinite.
    """
    values = _joined([numbers_of(chunk, pa.float64()) for chunk in table.column(column).chunks], np.float64)
    present = ~np.isnan(values)
    wrong = present & ~((values >= 0) & np.isfinite(values))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputRefused(
            f"{int(wrong.sum())} weights are negative or infinite, e.g. {values[row]:g}",
            where=f"column {column!r}, row {row + 1}",
            fix="declare `minimum: 0` for the column and correct the data",
        )
    return np.where(present, values, 0.0), present


def _said(
    contract: Contract,
    scores: NDArray[np.float64] | None,
    threshold: float | None,
    decided: NDArray[np.integer] | None,
    known: dict[str, NDArray[np.bool_]],
) -> tuple[NDArray | None, NDArray | None]:
    """Decision and score by a model's answer, and by what was decided whatever it says."""
    decision: NDArray | None = None
    if decided is not None:
        known["prediction missing"] = decided >= 0
        decision = np.where(decided >= 0, decided, 0).astype(np.int8 if contract.task == "binary" else np.int32)
    if scores is None:
        return decision, None
    known["score missing"] = np.isfinite(scores).reshape(len(scores), -1).all(axis=1)
    if decision is None and contract.task != "regression":
        decision = decide(scores, threshold)
    return decision, scores[:, 1] if contract.task == "binary" else scores


def _logged(
    contract: Contract, table: pa.Table, known: dict[str, NDArray[np.bool_]]
) -> tuple[NDArray | None, NDArray | None, bool]:
    """Decision, score and whether the score is a probability, from the columns of the log."""
    if contract.prediction is None and contract.score is None:
        raise UsageError(
            "there is no model, and no column has the role prediction or score",
            fix="declare a model, or give the column of logged decisions the role prediction",
        )
    decision: NDArray | None = None
    score: NDArray | None = None
    if contract.score is not None:
        chunks = table.column(contract.score).chunks
        score = _joined([numbers_of(chunk, pa.float64()) for chunk in chunks], np.float64)
        known["score missing"] = np.isfinite(score)
    if contract.prediction is not None:
        decision, known["prediction missing"] = values_of(contract, table, contract.prediction)
        if contract.task == "regression":
            # A logged predicted value is what a score is for a decision.
            return None, decision if score is None else score, False
    elif contract.task == "binary" and contract.threshold is not None and score is not None:
        decision = (score >= contract.threshold).astype(np.int8)
    if contract.task == "multiclass":
        # One logged number says nothing about more than two classes.
        known.pop("score missing", None)
        score = None
    return decision, score, contract.task == "binary" and _is_probability(score)


def _is_probability(score: NDArray[np.float64] | None) -> bool:
    """Within [0, 1] and not whole numbers only: deciles, points and 0/1 flags are no probabilities."""
    if score is None:
        return False
    finite = score[np.isfinite(score)]
    return bool(len(finite) and finite.min() >= 0 and finite.max() <= 1 and (finite != np.round(finite)).any())


def _codes(contract: Contract, chunk: pa.Array, column: str) -> NDArray[np.int32]:
    """Class code of every label, -1 where missing."""
    encoded = as_dictionary(chunk)
    words = encoded.dictionary.to_pylist()
    if contract.task == "binary":
        lookup = [-1 if word is None else int(word == contract.positive) for word in words]
    else:
        places = {label: code for code, label in enumerate(contract.classes)}
        used = set(pc.unique(encoded.indices).to_pylist())
        strange = [word for code, word in enumerate(words) if code in used and word not in (None, *places)]
        if strange:
            raise InputRefused(
                f"{strange[0]!r} is none of the classes {', '.join(contract.classes)}",
                where=f"column {column!r}",
                fix="list every class in `allowed` of the target",
            )
        lookup = [places.get(word, -1) for word in words]
    indices = pc.fill_null(pc.cast(encoded.indices, pa.int32()), len(words)).to_numpy(zero_copy_only=False)
    return np.array([*lookup, -1], np.int32)[indices]


def _joined(parts: list[NDArray], kind: type) -> NDArray:
    return np.concatenate(parts) if parts else np.empty(0, kind)
