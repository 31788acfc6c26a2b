"""Rows drawn while they pass: all of a few, of many as many as are compared, and each as likely as any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from scipy.stats import kstest

from rai_assets.monitoring.drift.drawn import MOST_ROWS, Drawn
from rai_assets.monitoring.drift.sources import open_source


def drawn(table: pa.Table, *columns: str, timestamp: str | None = None, seed: int = 0) -> pa.Table:
    rows = Drawn(columns, timestamp, np.random.default_rng(seed))
    side = rows.tapped(open_source(table, "reference"))
    assert sum(batch.num_rows for batch in side.batches) == table.num_rows, "every row passes"
    return rows.table()


def test_all_of_a_few_rows_are_kept_as_they_are() -> None:
    table = pa.table({"at": [3, 1, 2], "city": pa.array(["Bern", None, "Genf"]).dictionary_encode(), "more": [0, 0, 0]})
    kept = drawn(table, "at", "city")
    assert kept.to_pydict() == {"at": [3, 1, 2], "city": ["Bern", None, "Genf"]}
    assert kept.schema.field("city").type == pa.string()
    for none in (table.slice(0, 0), table.schema.empty_table()):
        assert drawn(none, "at", "city").to_pydict() == {"at": [], "city": []}


def test_rows_are_taken_in_the_order_of_their_time() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    days = [2, 0, 1, 0]
    table = pa.table({"at": range(4), "day": [start + timedelta(days=day) for day in days]})
    assert drawn(table, "at", timestamp="day").column("at").to_pylist() == [1, 3, 2, 0]


def test_rows_without_a_time_come_first() -> None:
    table = pa.table(
        {"at": range(4), "day": [datetime(2026, 1, 2, tzinfo=UTC), None, datetime(2026, 1, 1, tzinfo=UTC), None]}
    )
    assert drawn(table, "at", timestamp="day").column("at").to_pylist() == [1, 3, 2, 0]


def test_of_many_rows_each_is_as_likely_to_be_kept() -> None:
    many = 100_003
    batches = pa.table({"at": np.arange(many)}).to_batches(max_chunksize=7_001)
    kept = [drawn(pa.Table.from_batches(batches), "at", seed=seed).column("at").to_numpy() for seed in range(5)]
    for at in kept:
        assert len(at) == MOST_ROWS
        assert (np.diff(at) > 0).all(), "in their order, none twice"
    assert kstest(np.concatenate(kept) / many, "uniform").pvalue > 0.001
    assert len(set.intersection(*(set(at.tolist()) for at in kept))) < 20, "each draw is another one"
