"""What the values of a column look like, gathered in one pass over whole files."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.sketch import QuantileSketch
from rai_assets.data.uniqueness import KeyFile

MARKERS = (
    "?", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "NULL", "Null", "null", "None", "none", "#N/A", "<NA>",
    "-", "--", ".", "missing", "Missing", "MISSING",
)  # fmt: skip
KEPT_VALUES = 1000  # distinct values that are remembered
_LEADING_ZERO = r"^[+-]?0[0-9]"
_IDENTIFIER = re.compile(r"(id|index|uuid|guid|key|row)|.*[ _.-]id|.*[a-z](Id|ID)|.*[ _.-](nbr|uuid)|unnamed_\d+", re.I)


def named_like_identifier(name: str) -> bool:
    """Whether a column has a name that columns which name the rows have."""
    return _IDENTIFIER.fullmatch(name) is not None


@dataclass
class Profile:
    """The evidence about one column.

    Attributes:
        name: The column.
        rows: Rows seen.
        empty: Rows that are null or an empty text.
        markers: Rows of every spelling in `MARKERS`.
        values: Rows of every other value; as many as `KEPT_VALUES` distinct ones, then no more are added.
        overflowed: Whether there are more distinct values.
        numbers: Whether every other value is a number.
        endless: Rows of numbers that are not finite, like `inf` and `1e400`.
        first_endless: The first of them, and where it stands.
        low: Least finite number.
        high: Greatest finite number.
        integers: Whether it is a whole number of 64 bits.
        fractions: Whether one has a point or an exponent.
        leading_zero: Whether one begins with a zero that a number would lose.
        booleans: Whether every other value is true or false, in any case.
        local_times: Whether every other value is an ISO time without an offset.
        utc_times: Whether every other value is an ISO time with one.
        quantiles: Of the numbers.
        keys: The values themselves, of a column named like an identifier.
    """

    name: str
    rows: int = 0
    empty: int = 0
    markers: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    overflowed: bool = False
    numbers: bool = True
    endless: int = 0
    first_endless: tuple[str, str] | None = None
    low: float = math.inf
    high: float = -math.inf
    integers: bool = True
    fractions: bool = False
    leading_zero: bool = False
    booleans: bool = True
    local_times: bool = True
    utc_times: bool = True
    quantiles: QuantileSketch = field(default_factory=QuantileSketch)
    keys: KeyFile | None = None

    def __post_init__(self) -> None:
        if named_like_identifier(self.name):
            self.keys = KeyFile()

    @property
    def known(self) -> int:
        """Rows with a value that is neither empty nor a marker."""
        return self.rows - self.empty - self.markers.total()

    def names_rows(self) -> bool:
        """Whether the column is named like an identifier and every row has its own value."""
        return self.keys is not None and self.empty == 0 and next(self.keys.repeated(), None) is None

    def close(self) -> None:
        """Give back what the evidence took on disk."""
        if self.keys is not None:
            self.keys.close()

    def add(
        self,
        raw: pa.Array,
        *,
        trim: bool,
        missing: Sequence[str],
        typed: bool = False,
        place: Callable[[int], str] = str,
    ) -> None:
        """Look at some rows.

        Args:
            raw: The values as they stand in the file.
            trim: Whether blanks around them are no part of them.
            missing: Spellings that mean a missing value; they count as empty.
            typed: Whether the file says what is text, so that a text is no number however it is spelled.
            place: Says where the i-th of the rows stands.
        """
        self.rows += len(raw)
        if typed and pa.types.is_dictionary(raw.type):
            self.numbers = self.integers = self.local_times = self.utc_times = self.booleans = False
        texts = raw.cast(pa.string())
        if self.keys is not None:
            self.keys.add([texts])
        # Most columns repeat few values: each is looked at once a batch.
        encoded = texts.dictionary_encode()
        rows = np.bincount(encoded.indices.drop_null(), minlength=len(encoded.dictionary))
        distinct = pc.ascii_trim_whitespace(encoded.dictionary) if trim else encoded.dictionary
        marked = pc.is_in(distinct, pa.array(MARKERS, pa.string())).to_numpy(zero_copy_only=False)
        meant = pc.is_in(distinct, pa.array(["", *missing], pa.string())).to_numpy(zero_copy_only=False)
        self.empty += encoded.null_count + int(rows[meant].sum())
        _tally(self.markers, distinct, rows, marked & ~meant)
        known = ~marked & ~meant
        if known.any():
            if not self.overflowed:
                _tally(self.values, distinct, rows, known)
                self.overflowed = len(self.values) > KEPT_VALUES
            strange = self._try_types(distinct.filter(pa.array(known)), rows[known])
            if strange is not None and self.first_endless is None:
                code = int(np.flatnonzero(known)[strange])
                at = pc.index(encoded.indices, pa.scalar(code, encoded.indices.type)).as_py()
                self.first_endless = distinct[code].as_py(), place(at)

    def _try_types(self, texts: pa.Array, rows: NDArray[np.int64]) -> int | None:
        """Look at distinct texts; returns which of them is the first number that is not finite."""
        strange = self._try_numbers(texts, rows) if self.numbers else None
        self.local_times = self.local_times and _casts(texts, pa.timestamp("us"))
        self.utc_times = self.utc_times and _casts(texts, pa.timestamp("us", "UTC"))
        if self.booleans:
            self.booleans = bool(pc.all(pc.is_in(pc.utf8_lower(texts), pa.array(["true", "false"]))).as_py())
        return strange

    def _try_numbers(self, texts: pa.Array, rows: NDArray[np.int64]) -> int | None:
        try:
            values = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            self.numbers = self.integers = False
            return None
        finite = np.isfinite(values)
        self.endless += int(rows[~finite].sum())
        self.quantiles.add(np.repeat(values[finite], rows[finite]))
        self.low = min(self.low, values.min(where=finite, initial=math.inf))
        self.high = max(self.high, values.max(where=finite, initial=-math.inf))
        self.fractions |= bool(pc.any(pc.match_substring_regex(texts, "[.eE]")).as_py())
        self.leading_zero |= bool(pc.any(pc.match_substring_regex(texts, _LEADING_ZERO)).as_py())
        self.integers = self.integers and not self.fractions and _casts(texts, pa.int64())
        return None if finite.all() else int(np.argmin(finite))


def _tally(counter: Counter[str], texts: pa.Array, rows: NDArray[np.int64], mask: NDArray[np.bool_]) -> None:
    for text, count in zip(texts.filter(pa.array(mask)).to_pylist(), rows[mask].tolist(), strict=True):
        counter[text] += count


def _casts(texts: pa.Array, kind: pa.DataType) -> bool:
    try:
        texts.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
