"""The rules of a contract, checked on every row while the files are read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rai_assets.data.contract import Column, Contract
from rai_assets.data.conversion import Converted
from rai_assets.data.rules import SHOWN, Rule, RuleResult, Violation, label_order, rules_of, shown
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.uniqueness import KeyFile

__all__ = ["Rule", "RuleResult", "Validator", "Violation", "rules_of"]

MAX_LABELS = 1000  # classes of a target
_EXPECTED = {
    "integer": "a whole number of at most 64 bits",
    "number": "a finite number, written with a decimal point",
    "boolean": "`true` or `false`; other spellings need `aliases`",
    "timestamp": "an ISO time like 2024-05-31T12:00:00, all of them with an offset or all without",
}

Mask = NDArray[np.bool_]


@dataclass
class _Findings:
    count: int = 0
    first: list[Violation] = field(default_factory=list)

    def add(self, *violations: Violation) -> None:
        self.count += len(violations)
        self.first += violations[: max(SHOWN - len(self.first), 0)]


class Validator:
    """Checks batches one after the other and gives the outcome of every rule at the end. A context manager.

    Args:
        settings: The declaration.
        optional: Columns that a file may lack.
    """

    def __init__(self, settings: DatasetSettings, optional: Collection[str] = ()) -> None:
        self._settings = settings
        self._optional = frozenset(optional)
        self._contract = Contract.of(settings)
        self._rules = rules_of(settings)
        self._findings = {rule.name: _Findings() for rule in self._rules}
        self._labels: dict[str, set[str]] = {name: set() for name in _label_columns(self._contract)}
        self._keys = KeyFile() if self._contract.identifiers else None
        self._rows: list[int] = [0] * len(settings.files)
        self._looked_at: int | None = None

    def __enter__(self) -> Validator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keys is not None:
            self._keys.close()

    def add(self, batch: Converted) -> None:
        """Check one batch."""
        source = batch.source
        present = source.part.columns.schema.names
        if source.file != self._looked_at:
            self._looked_at = source.file
            self._check_columns(present, source.path)
        self._rows[source.file] += batch.data.num_rows
        for column in self._contract:
            if column.name in present:
                self._check_column(column, batch)
        for name, labels in self._labels.items():
            _collect(batch.data.column(name), labels)
        if self._keys is not None:
            self._keys.add([batch.data.column(name) for name in self._contract.identifiers])

    def violate(self, rule: str, violation: Violation) -> None:
        """Count a place where a rule does not hold that is checked elsewhere: one about media files."""
        self._findings[rule].add(violation)

    @property
    def labels(self) -> tuple[str, ...]:
        """Values of the target, or of the prediction where there is no target, in order; empty for a regression."""
        return _ordered(self._labels.get(self._contract.judged or "", set()))

    def results(self) -> list[RuleResult]:
        """The outcome of every rule over all batches; to be asked once, at the end."""
        if self._contract.target in self._labels:
            self._check_target(self._contract.target)
        if self._keys is not None:
            self._check_keys(self._keys)
        return [
            RuleResult(rule.name, rule.columns, tuple(self._findings[rule.name].first), self._findings[rule.name].count)
            for rule in self._rules
        ]

    def _check_columns(self, present: list[str], path: str) -> None:
        findings = self._findings["columns"]
        if len(present) == 1 < len(self._settings.columns) and present[0] not in self._settings.columns:
            findings.add(Violation("is the only column found; check `separator`", present[0], path))
            return
        for column in self._contract:
            if column.name not in present and column.name not in self._optional:
                findings.add(Violation("is not in the file", column.name, path))
        for name in present:
            if name not in self._settings.columns:
                findings.add(Violation("is not declared; give it `role: ignored` to leave it out", name, path))

    def _check_column(self, column: Column, batch: Converted) -> None:
        values = batch.data.column(column.name)
        rejected = batch.rejected.get(column.name)
        if rejected is not None:
            self._note("dtypes", column, batch, rejected, f"is not {_EXPECTED[column.dtype]}")
        if values.null_count and not column.missing_allowed:
            missing = values.is_null().to_numpy(zero_copy_only=False)
            missing = missing if rejected is None else missing & ~rejected
            self._note("missing", column, batch, missing, "means missing, which is refused here")
        if column.settings.allowed is not None:
            self._note("allowed_values", column, batch, _outside(values, column), "is not among the allowed values")
        for mask, problem in _out_of_range(values, column):
            self._note("ranges", column, batch, mask, problem)

    def _note(self, rule: str, column: Column, batch: Converted, mask: Mask, problem: str) -> None:
        rows = np.flatnonzero(mask)
        findings = self._findings[rule]
        raw = batch.source.part.columns.column(column.name)
        wanted = max(SHOWN - len(findings.first), 0)
        for row in rows[:wanted].tolist():
            text = raw[row].as_py()
            value = None if text is None else shown(text)
            findings.add(Violation(problem, column.name, batch.source.place(row), value))
        findings.count += max(len(rows) - wanted, 0)

    def _check_target(self, target: str) -> None:
        findings, known = self._findings["target"], self._labels[target]
        declared = self._contract[target].settings
        values = ", ".join(shown(label) for label in _ordered(known)[:10])
        vocabulary = known | set(declared.allowed or ()) | ({"true"} if declared.dtype == "boolean" else set())
        if len(known) > MAX_LABELS:
            problem = f"has more than {MAX_LABELS:,} values; a quantity has dtype number or integer"
            findings.add(Violation(problem, target))
        elif self._contract.task == "binary" and self._contract.positive not in vocabulary:
            positive = shown(self._contract.positive)
            findings.add(Violation(f"never has the positive value {positive}; its values are {values}", target))
        prediction = self._contract.prediction
        for label in sorted(self._labels.get(prediction or "", set()) - known - set(declared.allowed or ())):
            findings.add(Violation(f"is no value of the target, which has {values}", prediction, "", shown(label)))

    def _check_keys(self, keys: KeyFile) -> None:
        findings = self._findings["identifiers"]
        names = ", ".join(self._contract.identifiers)
        repeated = sorted(keys.repeated())
        findings.add(
            *(
                Violation(f"is the same as in {self._row(first)}", names, self._row(row))
                for row, first in repeated[:SHOWN]
            )
        )
        findings.count = len(repeated)

    def _row(self, at: int) -> str:
        """File and row of the i-th row over all files."""
        for file, rows in zip(self._settings.files, self._rows, strict=True):
            if at < rows:
                return f"{file.path}, row {at + 1:,}"
            at -= rows
        raise IndexError(at)


def _label_columns(contract: Contract) -> list[str]:
    if contract.task in (None, "regression"):
        return []
    return [name for name in (contract.target, contract.prediction) if name is not None]


def _collect(values: pa.Array, labels: set[str]) -> None:
    """Add the labels that occur; one more than a target may have is enough to know."""
    if len(labels) <= MAX_LABELS:
        found = values.dictionary if pa.types.is_dictionary(values.type) else pc.unique(values)
        labels.update(label for label in found.cast(pa.string()).to_pylist() if label is not None)


def _ordered(labels: set[str]) -> tuple[str, ...]:
    return tuple(sorted(labels, key=label_order))


def _outside(values: pa.Array, column: Column) -> Mask:
    """Rows whose value is not among the allowed ones; missing values are another rule's matter."""
    allowed = pa.array(column.settings.allowed, pa.string())
    if pa.types.is_dictionary(values.type):
        known = pc.is_in(values.dictionary, allowed).take(values.indices)
    else:
        known = pc.is_in(values, allowed.cast(pa.int64()), skip_nulls=True)
        known = pc.if_else(values.is_null(), pa.scalar(True), known)
    return ~pc.fill_null(known, fill_value=True).to_numpy(zero_copy_only=False)


def _out_of_range(values: pa.Array, column: Column) -> list[tuple[Mask, str]]:
    settings = column.settings
    low = 0.0 if settings.minimum is None and "weight" in column.roles else settings.minimum
    checks = []
    if low is not None:
        checks.append((pc.less(values, low), f"is below {low:g}"))
    if settings.maximum is not None:
        checks.append((pc.greater(values, settings.maximum), f"is above {settings.maximum:g}"))
    return [
        (pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False), problem)
        for mask, problem in checks
        if pc.any(mask).as_py()
    ]
