"""Labels that arrive after the predictions: joined on the identifier, and looked at for what is missing from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.errors import InputRefused


@dataclass(frozen=True)
class Arrived:
    """Which label belongs to which prediction.

    Attributes:
        label: Row of the label of every prediction, -1 where none has arrived, (n,).
        repeated: Predictions that share their identifier with another: no label can be given to them.
        again: Labels that came more than once, always the same; the first is taken.
        contradicted: Predictions whose labels contradict each other: none is taken.
        unmatched: Labels of no prediction.
    """

    label: NDArray[np.intp]
    repeated: int = 0
    again: int = 0
    contradicted: int = 0
    unmatched: int = 0

    @property
    def known(self) -> NDArray[np.bool_]:
        """Predictions whose label has arrived, (n,)."""
        return self.label >= 0

    def sentences(self) -> list[str]:
        """What a reader has to know of the labels."""
        n, known = len(self.label), int(self.known.sum())
        said = [
            f"Labels have arrived for {known:,} of {n:,} predictions ({known / n:.1%})." if n else "No predictions."
        ]
        for count, what in (
            (self.repeated, "predictions share their identifier with another and get no label"),
            (self.contradicted, "predictions have labels that contradict each other, and none is taken"),
            (self.again, "labels came more than once, always the same"),
            (self.unmatched, "labels belong to no prediction of this batch"),
        ):
            if count:
                said.append(f"{count:,} {what}.")
        return said


def join_labels(predictions: pa.Table, labels: pa.Table, identifiers: Sequence[str], target: str) -> Arrived:
    """Find the label of every prediction.

    A missing label is none, and so is one whose identifier is missing.

    Args:
        predictions: One row per prediction, with the identifiers.
        labels: Rows with the identifiers and the target, in any order; may repeat.
        identifiers: The columns that together name a row.
        target: The column of labels.

    Raises:
        InputRefused: A column is not there.
    """
    for name, table, wanted in (
        ("predictions", predictions, identifiers), ("labels", labels, (*identifiers, target))
    ):  # fmt: skip
        absent = [column for column in wanted if column not in table.column_names]
        if absent:
            raise InputRefused(
                f"the {name} have no column {', '.join(map(repr, absent))}",
                fix=f"they need {', '.join(map(repr, wanted))}",
            )
    if not identifiers:
        raise InputRefused("labels are joined on an identifier, and none is declared", fix="role: identifier")
    n = predictions.num_rows
    codes = _codes(predictions, labels, identifiers)
    asked, given = codes[:n], codes[n:]
    repeated = (asked >= 0) & (np.bincount(np.maximum(asked, 0), asked >= 0)[np.maximum(asked, 0)] > 1)
    values = labels.column(target).combine_chunks()
    rows = np.flatnonzero((given >= 0) & pc.is_valid(values).to_numpy(zero_copy_only=False))
    first, agree, count = _first_labels(given[rows], _as_codes(values)[rows], int(codes.max(initial=-1)) + 1)
    found = np.full(n, -1, np.intp)
    named = (asked >= 0) & ~repeated
    place = first[asked[named]]
    found[named] = np.where(place >= 0, rows[np.maximum(place, 0)] if len(rows) else -1, -1)
    contradicted = np.zeros(n, bool)
    contradicted[named] = (place >= 0) & ~agree[asked[named]]
    found[contradicted] = -1
    predicted = np.zeros(len(first) + 1, bool)
    predicted[asked[asked >= 0]] = True
    return Arrived(
        found,
        repeated=int(repeated.sum()),
        again=int((count[agree] - 1).clip(0).sum()),
        contradicted=int(contradicted.sum()),
        unmatched=int((~predicted[given[rows]]).sum()),
    )


def _codes(one: pa.Table, other: pa.Table, columns: Sequence[str]) -> NDArray[np.int64]:
    """A number for every distinct identifier of two tables' rows, -1 where a part of it is missing."""
    codes = np.zeros(one.num_rows + other.num_rows, np.int64)
    missing = np.zeros(len(codes), bool)
    for name in columns:
        both = [pc.cast(table.column(name), pa.string()) for table in (one, other)]
        column = pa.chunked_array([chunk for part in both for chunk in part.chunks], pa.string())
        found = _as_codes(column.combine_chunks())
        missing |= found < 0
        codes = np.unique(codes * (found.max(initial=0) + 2) + found + 1, return_inverse=True)[1].astype(np.int64)
    return np.where(missing, -1, codes)


def _as_codes(values: pa.Array) -> NDArray[np.int64]:
    """A number for every distinct value, -1 where missing."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    return pc.fill_null(pc.cast(encoded.indices, pa.int64()), -1).to_numpy(zero_copy_only=False)


def _first_labels(
    given: NDArray[np.int64], values: NDArray[np.int64], size: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.int64]]:
    """By identifier: the first label's place, -1 for none; whether all its labels are equal; and how many there are."""
    first = np.full(size, -1, np.intp)
    first[given[::-1]] = np.arange(len(given))[::-1]
    agree = np.ones(size, bool)
    np.logical_and.at(agree, given, values == values[first[given]])
    return first, agree, np.bincount(given, minlength=size)
