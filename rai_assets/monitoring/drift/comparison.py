"""The tests of all columns and chunks of one comparison, and what they share of the reference."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.errors import Undefined, UsageError
from rai_assets.monitoring.drift import calibration, order
from rai_assets.monitoring.drift.calibration import PValue
from rai_assets.monitoring.drift.chunks import Before, Chunk, total
from rai_assets.monitoring.drift.columns import Sample
from rai_assets.monitoring.drift.drivers import cells_of, drivers, row_order
from rai_assets.monitoring.drift.methods import (
    Column,
    as_chi_squared,
    deviation,
    effect,
    fitting,
    measure,
    p_values,
    prepared,
    unfit,
)
from rai_assets.monitoring.drift.notes import rule_notes
from rai_assets.monitoring.drift.result import DriftRow
from rai_assets.monitoring.drift.rules import Limits, Unchanged, false_alarm_rate, left_out_rate, limits_of, unchanged
from rai_assets.monitoring.drift.settings import COMPARING, DEFINITIONS, Chunks, DriftSettings, Method


def blocks(asked: DriftSettings, now: Sequence[Chunk]) -> Chunks | None:
    """How the reference is cut: like the current rows, or into blocks of their size where there is an order."""
    if asked.chunks is not None or asked.timestamp is None:
        return asked.chunks
    return max(sum(chunk.rows for chunk in now), 1)


@dataclass
class _Test:
    """One method on one column of one chunk, as far as it is done."""

    column: Column
    method: Method | None
    reference: Sample
    current: Sample
    statistic: float | None = None
    effect: float | None = None
    reason: str | None = None
    p_value: PValue | None = None
    family: float | None = None
    limits: Limits | None = None
    rate: float | None = None

    def told(self) -> tuple[float | None, float | None, float | None]:
        """The statistic; the chi-squared value as surprising where rows are interchangeable, and its degrees."""
        known = self.method and as_chi_squared(self.method, self.reference, self.current, self.statistic)
        return (self.statistic, *(known or (None, None)))


class Comparison:
    """The tests of all chunks, with what they share of the reference."""

    def __init__(
        self,
        asked: DriftSettings,
        seed: int,
        columns: Sequence[Column],
        before: Before,
        now: Sequence[Chunk],
    ) -> None:
        self._asked, self._seed, self._columns = asked, seed, columns
        self._reference = {column.name: total(before.chunks, column.name) for column in columns}
        self._current = {column.name: total(now, column.name) for column in columns}
        self._cells = {column.name: cells_of(column, self._reference[column.name]) for column in columns}
        size = asked.chunks if isinstance(asked.chunks, int) else max((chunk.rows for chunk in now), default=0)
        self.ordered = ordered = asked.chunks is not None or asked.timestamp is not None
        whole = [chunk for chunk in before.chunks if not isinstance(blocks(asked, now), int) or chunk.rows == size]
        least = order.least_blocks(asked.level) if asked.null == "auto" else 2
        self._parts = before.chunks if ordered else []
        self._blocks = whole if ordered and asked.null != "permutation" and len(whole) >= least else []
        if asked.rule != "calibrated":
            self._blocks = []
        if asked.null == "blocks" and asked.rule == "calibrated" and not self._blocks:
            raise UsageError(
                f"the reference has {how_many(len(whole) if ordered else 0, 'block')} of the size of a chunk",
                fix="name --chunks or --timestamp, and a reference of at least two chunks",
            )
        self._fewest = 0.8 * size if isinstance(asked.chunks, int) else 0.0
        self._of_parts = before.parts
        self._rates: dict[tuple[str, Method, int], float] = {}
        self._unchanged: dict[tuple[str, str, int], Unchanged] = {}

    def rows(self, at: int, chunk: Chunk) -> list[DriftRow]:
        """Every test of one chunk."""
        tests = [test for column in self._columns for test in self._measured(column, chunk)]
        if self._asked.rule in ("calibrated", "textbook"):
            self._tell(tests, at, chunk)
        else:
            self._limit(tests, at)
        ranked = self._ranks(tests)
        return [self._row(test, chunk, ranked.get(id(test))) for test in tests]

    def _measured(self, column: Column, chunk: Chunk) -> list[_Test]:
        reference, current = self._reference[column.name], chunk.samples[column.name]
        try:
            # The whole of the current rows decides, so that every chunk is compared alike.
            methods = fitting(column, reference, self._current[column.name], self._asked)
        except Undefined as error:
            return [_Test(column, None, reference, current, reason=error.what)]
        named = self._asked.columns.get(column.name, ())
        idle = [method for method in named if method not in COMPARING[column.kind]]
        return [
            *(self._measure(column, method, reference, current) for method in methods),
            *(_Test(column, None, reference, current, reason=unfit(column, [method])) for method in idle),
        ]

    def _measure(self, column: Column, method: Method, reference: Sample, current: Sample) -> _Test:
        test = _Test(column, method, prepared(column, method, reference), prepared(column, method, current))
        try:
            test.statistic = measure(column, method, test.reference, test.current)
            test.effect = effect(method, test.statistic, test.reference, test.current)
        except Undefined as error:
            test.reason = error.what
        return test

    def _tell(self, tests: Sequence[_Test], at: int, chunk: Chunk) -> None:
        """P-values, and those adjusted for all tests of the chunk."""
        known = [test for test in tests if test.statistic is not None]
        if self._blocks:
            known = self._told_by_blocks(known, chunk)
        draws, by_rows = calibration.draws_for(len(known), self._asked.level), list[tuple[_Test, PValue]]()
        for column in self._columns:
            mine = {test.method: test for test in known if test.column is column and test.method is not None}
            sides = {method: (test.reference, test.current) for method, test in mine.items()}
            statistic = {method: test.statistic for method, test in mine.items() if test.statistic is not None}
            textbook = self._asked.rule == "textbook"
            found = p_values(column, sides, statistic, self._rng(column, at), draws, textbook=textbook)
            by_rows += [(test, found[method]) for method, test in mine.items()]
        adjusted = calibration.holm(np.array([p_value.value for _, p_value in by_rows]))
        for (test, p_value), family in zip(by_rows, adjusted.tolist(), strict=True):
            test.p_value = p_value if test.p_value is None else order.larger(test.p_value, p_value)
            test.family = max(family, test.family or 0.0)

    def _told_by_blocks(self, tests: Sequence[_Test], chunk: Chunk) -> list[_Test]:
        """The tests that can be compared with the blocks of the reference, with the p-values from these."""
        possible = 1 / (len(self._blocks) + 1)
        reason = None
        if chunk.rows < self._fewest:
            reason = f"its {how_many(chunk.rows, 'row is', 'rows are')} fewer than those of a block of the reference"
        elif possible > self._asked.level:
            reason = f"{how_many(len(self._blocks), 'block')} of the reference can give no p-value below {possible:.2g}"
        if reason is not None:
            for test in tests:
                test.reason = reason
            return []
        known = [(test, self._parts_of(test.column, test.method, apart=True)) for test in tests if test.method]
        told = [(test, parts) for test, parts in known if np.isfinite(parts[:, 0]).all()]
        if told:
            chunk_told = np.array([test.told() for test, _ in told], np.float64)
            every = np.stack([chunk_told, *np.stack([parts for _, parts in told], axis=1)])
            adjusted = order.max_t(every[0, :, 0], every[1:, :, 0], every[:, :, 1:])
            for (test, parts), family in zip(told, adjusted.tolist(), strict=True):
                test.p_value, test.family = order.block_p(test.statistic or 0.0, parts[:, 0]), family
        return [test for test, _ in told]

    def _parts_of(self, column: Column, method: Method, *, apart: bool) -> NDArray[np.float64]:
        """What is told of every part of the reference beside all of it, or `apart`: beside the rest.

        The shape is (parts, 3): a statistic, its chi-squared value and the degrees; NaN for what is not there.
        """
        key = column.name, method, apart
        if key not in self._of_parts:
            reference, found = self._reference[column.name], []
            for chunk in self._blocks if apart else self._parts:
                part = chunk.samples[column.name]
                found.append(
                    self._measure(column, method, reference.without(part) if apart else reference, part).told()
                )
            self._of_parts[key] = np.array(found, np.float64).reshape(-1, 3)
        return self._of_parts[key]

    def _limit(self, tests: Sequence[_Test], at: int) -> None:
        """The limits of a rule without a level, and how often it alarms if nothing has changed."""
        for test in tests:
            if test.statistic is None or test.method is None:
                continue
            parts: list[float] = []
            if self._asked.rule == "reference_chunks":
                every = self._parts_of(test.column, test.method, apart=False)
                parts = [value for value in every[:, 0].tolist() if np.isfinite(value)]
            try:
                test.limits = limits_of(self._asked, test.method, deviation(test.reference), parts)
            except Undefined as error:
                test.reason = error.what
                continue
            if test.limits is not None:
                chunked = self._asked.rule == "reference_chunks"
                rate = left_out_rate(parts, self._asked.deviations) if chunked else self._rate(test, test.limits, at)
                test.rate = rate
                continue
            sides, statistic = {test.method: (test.reference, test.current)}, {test.method: test.statistic}
            rng = self._rng(test.column, at)
            test.p_value = p_values(test.column, sides, statistic, rng, calibration.DRAWS, textbook=True)[test.method]
            test.family, test.rate = test.p_value.value, self._asked.level

    def _rate(self, test: _Test, limits: Limits, at: int) -> float | None:
        """How often the limits of a test alarm if nothing has changed; None for texts."""
        method, column, rows = test.method, test.column, test.current.n
        if method is None or method == "vocabulary":
            return None
        if (column.name, method, rows) not in self._rates:
            table = method if method in ("length", "missing") else ""
            drawn = self._unchanged.get((column.name, table, rows))
            if drawn is None:
                drawn = unchanged(column, method, test.reference, rows, self._rng(column, at))
                self._unchanged[column.name, table, rows] = drawn
            self._rates[column.name, method, rows] = false_alarm_rate(column, method, limits, drawn)
        return self._rates[column.name, method, rows]

    def _rng(self, column: Column, at: int) -> np.random.Generator:
        """Draws of a column of a chunk, the same whatever else is compared."""
        return np.random.default_rng([self._seed, zlib.crc32(column.name.encode()), at])

    def _ranks(self, tests: Sequence[_Test]) -> dict[int, int]:
        weighed = {
            id(test): test.effect * self._asked.importance.get(test.column.name, 1.0)
            for test in tests
            if test.effect is not None
        }
        return {test: at for at, test in enumerate(sorted(weighed, key=lambda test: -weighed[test]), 1)}

    def _row(self, test: _Test, chunk: Chunk, rank: int | None) -> DriftRow:
        drifted = self._verdict(test)
        name, limits = test.column.name, test.limits
        by_p = test.p_value is not None
        return DriftRow(
            column=name,
            chunk=chunk.label,
            method=test.method or "",
            definition=DEFINITIONS[test.method] if test.method else "",
            statistic=test.statistic,
            p_value=test.p_value.value if test.p_value else None,
            family_p_value=test.family,
            threshold=self._asked.level if by_p else limits.upper if limits else None,
            lower_threshold=limits.lower if limits else None,
            effect=test.effect,
            drifted=drifted,
            n_reference=test.reference.n,
            n_current=test.current.n,
            rule=self._asked.rule,
            null=test.p_value.null if test.p_value else "",
            false_alarm_rate=test.rate,
            error=test.reference.error + test.current.error,
            rank=rank,
            drivers=drivers(self._cells[name], self._reference[name], chunk.samples[name]) if drifted else "",
            reason=test.reason,
        )

    def _verdict(self, test: _Test) -> bool | None:
        if test.statistic is None or test.effect is None:
            return None
        if test.limits is not None:
            beyond = bool(test.limits.beyond(test.statistic))
        elif test.family is not None:
            beyond = test.family <= self._asked.level
        else:
            return None
        return beyond and test.effect >= self._asked.minimum_effect

    def notes(self, rows: Sequence[DriftRow], now: Sequence[Chunk]) -> list[str]:
        """What applies to all rows, and what was noticed about their order."""
        said = rule_notes(self._asked, len(self._blocks), rows)
        if len(now) > 1:
            for column in self._columns:
                known = [(chunk.label, chunk.samples[column.name]) for chunk in now if chunk.samples[column.name].n]
                reference = self._reference[column.name]
                if known and reference.n:
                    timed = self._asked.timestamp is not None
                    found = row_order(column, self._cells[column.name], reference, known, timed=timed)
                    said += [found] if found else []
        return said
