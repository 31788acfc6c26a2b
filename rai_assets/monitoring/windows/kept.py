"""What a window keeps of the results of its batches: what alarms and charts are made of, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from rai_assets.metrics.number import Number
from rai_assets.monitoring.batches.batch import BatchRecord
from rai_assets.store.results import Result

LEADING = ("estimated_accuracy@1", "estimated_roc_auc@1", "estimated_mean_absolute_error@1")
MEASURED = ("accuracy@1", "roc_auc@1", "mean_absolute_error@1")
NDCG, WEIGHT, TOGETHER = "attribution_ndcg@1", "mean_absolute_shap_value@1", "domain_classifier_auc@1"
CHANGE, LABELLED = "change_from_baseline@1", "labelled_rate@1"
_NUMBERS = frozenset({*LEADING, *MEASURED, NDCG, WEIGHT, TOGETHER, CHANGE, LABELLED})
_GAPS = "fairness_drift"  # every definition of its numbers may be charted
_ROWS = {
    "drift": ("column", "effect", "null", "rank"),
    _GAPS: ("sensitive", "definition", "baseline", "current", "change", "verdict"),
}
_DRIFTED = ("drifted", "method", "statistic", "family_p_value", "drivers")  # is asked of rows with an alarm only
_WORDS = ("definition", "split", "unit", "reason")
_FACTS = ("reference", "logged", "verdicts")

CANNOT_TELL = "cannot tell"  # what a check says first that passes for want of rows

T = TypeVar("T")


class Keeping:
    """Takes of every result what a window keeps. What several batches have in common is held once.

    Of a batch of a dozen columns that is about 20 KiB.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, Any] = {}
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Over all that was kept so far, in its order."""
        return self._digest.hexdigest()

    def record(self, record: BatchRecord) -> BatchRecord:
        """The record of a batch without its files, its contract and what its audit found."""
        return replace(record, sources=(), source_rows=(), columns=None, findings=())

    def result(self, key: str, result: Result) -> Result:
        """What is kept of the result of a batch: without charts, tables, files, notes and the numbers of groups."""
        facts = {name: self._fact(name, result.facts[name], result.asset) for name in _known(result)}
        numbers = [
            self._number(item, result.asset)
            for item in result.numbers
            if not item.group and (item.definition in _NUMBERS or result.asset == _GAPS)
        ]
        said = [key, result.asset, facts, [item.as_json() for item in numbers]]
        self._digest.update(json.dumps(said, sort_keys=True).encode())
        provenance = self._once(result.provenance, result.provenance)
        # One empty dictionary in the place of three.
        return Result(result.asset, provenance, numbers, _EMPTY, _EMPTY, [], _EMPTY, facts)

    def _fact(self, name: str, value: Any, asset: str) -> Any:
        if name == "rows":
            return [self._row(row, _ROWS[asset]) for row in value]
        if name == "checks":
            value = {check: self._check(said) for check, said in value.items()}
        return self._once((name, json.dumps(value, sort_keys=True)), value)

    def _check(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a check said, where it is asked for: not of one that holds."""
        holds = said["passed"] and not said["sentence"].startswith(CANNOT_TELL)
        return {"passed": True, "sentence": ""} if holds else said

    def _row(self, row: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
        more = _DRIFTED if row.get("drifted") else ("reason",) if row.get("reason") else ()
        return {name: self._text(row[name]) for name in (*fields, *more) if name in row}

    def _number(self, number: Number, asset: str) -> Number:
        words = {name: self._text(getattr(number, name)) for name in _WORDS}
        coordinates = self._once(tuple(number.coordinates.items()), number.coordinates)
        kept = replace(number, **words, group=_NOTHING, coordinates=coordinates)
        # Those of the audit are the same in every batch.
        said = asset, kept.definition, *coordinates.items(), kept.value, kept.low, kept.high, kept.n, kept.reason
        return self._once(said, kept) if "chunk" in coordinates else kept

    def _text(self, value: T) -> T:
        return self._once(value, value) if isinstance(value, str) else value

    def _once(self, key: Hashable, value: T) -> T:
        """The value that was kept first under a key."""
        held: T = self._held.setdefault(key, value)
        return held


_NOTHING: Mapping[str, str] = {}
_EMPTY: dict[str, Any] = {}


def _known(result: Result) -> list[str]:
    kept = ("checks", *_FACTS, *(["rows"] if result.asset in _ROWS else []))
    return [name for name in kept if result.facts.get(name)]
