"""How far rows lie from the linear relations between the columns of a reference: PCA reconstruction error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.errors import Undefined
from rai_assets.metrics.intervals import Floats
from rai_assets.model.column_encoding import CategoryEncoding
from rai_assets.model.columns import numbers_of
from rai_assets.model.encoding import Encoding, Feature

KEPT_VARIANCE = 0.65
"""Share of the variance that the kept components explain: NannyML's default."""


@dataclass(frozen=True)
class Reconstruction:
    """The principal components of a reference, and how its rows become numbers.

    A number stands for itself, its mean where it is missing; a category for its share of the reference, missing values
    being one more category and unseen ones having no share. Columns are centred and scaled by the reference.

    Attributes:
        numbers: Columns of numbers.
        fills: What a missing number becomes, (numbers,).
        categories: Codings of the columns of categories.
        shares: Share of every category in the reference and, last, 0 for an unseen one; one array per column.
        centre: Mean of every column, (p,).
        scale: Deviation of every column, 1 for a constant one, (p,).
        components: Orthonormal rows, (k, p): the fewest that explain 65 % of the variance.
    """

    numbers: tuple[str, ...]
    fills: Floats
    categories: tuple[CategoryEncoding, ...]
    shares: tuple[Floats, ...]
    centre: Floats
    scale: Floats
    components: Floats

    @classmethod
    def fit(cls, reference: pa.Table, features: Sequence[Feature]) -> Reconstruction:
        """Learn from a reference.

        Args:
            reference: Rows, n >= 2.
            features: Columns that enter.

        Raises:
            Undefined: The components kept explain every column, so that no row can lie off them.
        """
        numbers = tuple(item.name for item in features if item.kind != "category")
        named = [item for item in features if item.kind == "category"]
        categories = Encoding.fit(reference, named, "codes").categories
        known = [_numbers(reference, name) for name in numbers]
        fills = np.array([float(np.nanmean(values)) if (~np.isnan(values)).any() else 0.0 for values in known])
        shares = []
        for category in categories:
            codes = _codes(category, reference)
            counts = np.bincount(codes[codes >= 0], minlength=len(category.levels))
            shares.append(np.append(counts / reference.num_rows, 0.0))
        plain = cls(numbers, fills, categories, tuple(shares), np.zeros(1), np.ones(1), np.zeros((0, 0)))
        columns = plain.columns(reference)
        centre, scale = columns.mean(axis=0), columns.std(axis=0)
        # A constant column has a deviation of rounding errors only.
        scale = np.where(scale > 1e-12 * np.abs(centre), scale, 1.0)
        standard = (columns - centre) / scale
        variances, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
        explained = np.cumsum(variances[::-1]) / max(float(variances.sum()), np.finfo(float).tiny)
        kept = int(np.searchsorted(explained, KEPT_VARIANCE, side="right")) + 1
        if explained[min(kept, len(explained)) - 1] > 1 - 1e-9:
            raise Undefined(f"the first {kept} principal components hold all there is in the columns of the reference")
        return cls(numbers, fills, categories, tuple(shares), centre, scale, vectors[:, ::-1][:, :kept].T)

    def columns(self, table: pa.Table) -> Floats:
        """The rows as numbers before they are scaled, (n, p): numbers first, then categories."""
        found = [
            np.where(np.isnan(values), fill, values)
            for values, fill in zip((_numbers(table, name) for name in self.numbers), self.fills, strict=True)
        ]
        coded = zip(self.categories, self.shares, strict=True)
        return np.column_stack([*found, *(share[_codes(category, table)] for category, share in coded)])

    def errors(self, table: pa.Table) -> Floats:
        """Euclidean distance of every row from the span of the components, in standardised columns, (n,)."""
        standard = (self.columns(table) - self.centre) / self.scale
        return np.linalg.norm(standard - (standard @ self.components.T) @ self.components, axis=1)


def _numbers(table: pa.Table, name: str) -> Floats:
    parts = [numbers_of(chunk, pa.float64()) for chunk in table.column(name).chunks]
    return np.concatenate(parts) if parts else np.empty(0)


def _codes(category: CategoryEncoding, table: pa.Table) -> NDArray[np.int32]:
    parts = [category.codes(chunk) for chunk in table.column(category.feature).chunks]
    return np.concatenate(parts) if parts else np.empty(0, np.int32)


@dataclass(frozen=True)
class Halves:
    """A reference in an order, cut in two halves: each gives the components for the rows of the other.

    On rows that components were fitted on the error is smaller than on new ones, in many columns by far.

    Attributes:
        errors: Error of every row of the reference under the components of the half that it is not in, (n,).
        fits: The components of either half.
    """

    errors: Floats
    fits: tuple[Reconstruction, Reconstruction]

    @classmethod
    def of(cls, reference: pa.Table, features: Sequence[Feature], size: int) -> Halves:
        """Cut a reference: blocks of `size` rows fall to either half by turns, since neighbours resemble each other.

        Args:
            reference: Rows in their order, at least 4 blocks.
            features: Columns that enter.
            size: Rows of a block.

        Raises:
            Undefined: The components kept explain every column, so that no row can lie off them.
        """
        half = np.arange(reference.num_rows) // size % 2
        parts = [reference.filter(pa.array(half == side)) for side in (0, 1)]
        fits = Reconstruction.fit(parts[0], features), Reconstruction.fit(parts[1], features)
        errors = np.empty(reference.num_rows)
        for side in (0, 1):
            errors[half == side] = fits[1 - side].errors(parts[side])
        return cls(errors, fits)

    def errors_of(self, rows: pa.Table) -> Floats:
        """Errors of other rows, the mean under both halves' components, (m,)."""
        return np.asarray((self.fits[0].errors(rows) + self.fits[1].errors(rows)) / 2)
