"""What is stored and shown of a published data set and of its splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from rai_assets.charts.text import markdown
from rai_assets.data.column_statistics import ColumnStatistics
from rai_assets.data.dataset import Dataset
from rai_assets.data.rules import RuleResult
from rai_assets.data.splits import NAMES, counts
from rai_assets.data.statistics import describe
from rai_assets.metrics.number import Number
from rai_assets.progress import Progress
from rai_assets.provenance import Provenance
from rai_assets.store.results import Result
from rai_assets.store.stage import Stage

_PREVIEW_ROWS = 5
_PREVIEW_CHARACTERS = 990


def summarize_splits(stage: Stage) -> Result:
    """The result of `splits`: the split of every row, and how many rows and positives each split has."""
    dataset = Dataset(stage.repository, stage.data_commit)
    codes = dataset.split_codes
    rows = counts(codes)
    provenance = stage.provenance()
    numbers = [Number("count@1", float(count), n=count, split=name, unit="count") for name, count in rows.items()]
    assignment = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(NAMES))
    return Result(
        asset="splits",
        provenance=provenance,
        numbers=[number.pinned(provenance) for number in numbers],
        tables={"assignment": pa.table({"split": assignment})},
        facts={"splits": rows},
    )


def summarize(dataset: Dataset, provenance: Provenance, rules: Sequence[RuleResult], progress: Progress) -> Result:
    """The result of `dataset`: rows, columns, statistics, and the rules it kept."""
    rows = dataset.row_count
    statistics = describe(dataset.batches(), dataset.contract, lambda done: progress("counting rows", done, rows))
    by_name = {item.name: item for item in statistics}
    columns = [
        {**column, "missing": by_name[column["name"]].missing, "distinct": _distinct(by_name[column["name"]])}
        for column in dataset.schema_summary()
    ]
    numbers = [Number("count@1", float(rows), n=rows, unit="count")]
    numbers += [
        Number("missing_count@1", float(item.missing), n=rows, coordinates={"column": item.name}, unit="count")
        for item in statistics
    ]
    facts: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "files": {source.path: source.rows for source in dataset.sources},
        "rules": [{"rule": rule.rule, "columns": list(rule.columns)} for rule in rules],
        "preview": _preview(dataset),
        "statistics": [item.as_json() for item in statistics],
    }
    if dataset.media is not None:
        facts["media"] = dataset.media
    return Result(asset="dataset", provenance=provenance, numbers=[n.pinned(provenance) for n in numbers], facts=facts)


def _distinct(item: ColumnStatistics) -> int | None:
    return item.distinct if not item.distinct_error else None


def _preview(dataset: Dataset) -> str:
    """The first rows as Markdown of under 1,000 characters, as many columns as fit; identifiers are left out."""
    shown = [name for name in dataset.contract.names if name not in dataset.contract.identifiers]
    rows = next(dataset.batches(shown, rows=_PREVIEW_ROWS)).to_pylist()
    while True:
        cells = [
            [markdown(value, 20) for value in row.values()] for row in [dict(zip(shown, shown, strict=True)), *rows]
        ]
        lines = [f"| {' | '.join(row)} |" for row in cells]
        text = "\n".join([lines[0], "|" + ":--|" * len(shown), *lines[1:]])
        if len(text) <= _PREVIEW_CHARACTERS or len(shown) == 1:
            return text
        shown = shown[:-1]
        rows = [{name: row[name] for name in shown} for row in rows]
