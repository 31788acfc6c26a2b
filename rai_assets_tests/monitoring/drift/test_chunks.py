"""Rows that are compared chunk by chunk: by their number, by days and months, against blocks of the reference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rai_assets.errors import InputRefused
from rai_assets.monitoring.drift import DriftSettings, drift
from rai_assets.monitoring.drift.chunks import Chunk, Plan, total
from rai_assets.monitoring.drift.columns import Sample, Vocabulary
from rai_assets.monitoring.drift.sources import Source
from rai_assets_tests.monitoring.drift.conftest import people, row


def test_chunks_of_rows_days_and_months() -> None:
    frame = people(100, 1).assign(when=pd.date_range("2024-01-30", periods=100, freq="6h"))
    shuffled = frame.sample(frac=1, random_state=0)

    def labels(chunks: int | str) -> list[str]:
        timestamp = None if chunks == 30 else "when"
        found = drift(
            people(500, 3).assign(when=frame.when[0]), shuffled, DriftSettings(chunks=chunks, timestamp=timestamp)
        )
        assert {item.n_current for item in found.rows if item.column == "age"} <= {30, 10, 4, 40, 8, 92}
        return list(dict.fromkeys(item.chunk for item in found.rows))

    assert labels(30) == ["0:29", "30:59", "60:89", "90:99"]
    assert labels("monthly") == ["2024-01", "2024-02"]
    assert labels("daily")[:3] == ["2024-01-30", "2024-01-31", "2024-02-01"]
    by_time = drift(people(500, 3).assign(when=frame.when[0]), shuffled, DriftSettings(chunks=40, timestamp="when"))
    expected = drift(people(500, 3), frame.drop(columns="when"), DriftSettings(chunks=40))
    assert [item.statistic for item in by_time.rows] == [item.statistic for item in expected.rows]


@pytest.mark.parametrize("batch", [7, 29, 30, 31, 100])
@pytest.mark.parametrize("chunks", [30, 100, 150])
def test_rows_are_counted_in_chunks_however_they_are_read(batch: int, chunks: int) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.integers(0, 5, 100).astype(float), "word": rng.choice(["a", "b", None], 100), "y": rng.random(100)}
    )
    frame.loc[frame.index[::7], "x"] = np.nan
    table = pa.Table.from_pandas(frame, preserve_index=False)
    plan = Plan({"x": "number", "word": "category"}, {"word": Vocabulary()})
    told: list[int] = []
    found = plan.read(Source("rows", {}, iter(table.to_batches(max_chunksize=batch))), chunks, told.append)
    assert sum(told) == 100
    starts = list(range(0, 100, chunks))
    assert [chunk.label for chunk in found] == [f"{start}:{min(start + chunks, 100) - 1}" for start in starts]
    texts = plan.vocabularies["word"].texts
    for chunk, start in zip(found, starts, strict=True):
        part = frame[start : start + chunks]
        assert chunk.rows == len(part)
        numbers, words = chunk.samples["x"], chunk.samples["word"]
        assert dict(zip(numbers.values, numbers.counts, strict=True)) == part.x.value_counts().to_dict()
        named = {texts[int(code)]: rows for code, rows in zip(words.values, words.counts, strict=True)}
        assert named == part.word.value_counts().to_dict()
        assert (numbers.missing, words.missing) == (part.x.isna().sum(), part.word.isna().sum())
    whole = total(found, "x")
    assert dict(zip(whole.values, whole.counts, strict=True)) == frame.x.value_counts().to_dict()
    assert (whole.missing, total(found, "word").n) == (frame.x.isna().sum(), frame.word.notna().sum())


def test_rows_of_one_time_keep_their_order_and_periods_stand_in_theirs() -> None:
    when = pd.to_datetime(
        ["2024-03-01", "2024-01-31T23:59:59", "2024-02-01", "2024-01-31", "2024-02-01"] * 4, format="ISO8601"
    )
    table = pa.table({"x": np.arange(20.0), "when": pa.array(when).cast(pa.timestamp("us"))})
    plan = Plan({"x": "number"}, {}, "when")

    def read(chunks: int | str) -> dict[str, list[float]]:
        batches = iter(table.to_batches(max_chunksize=1))
        return {
            chunk.label: chunk.samples["x"].values.tolist() for chunk in plan.read(Source("s", {}, batches), chunks)
        }

    months = read("monthly")
    assert list(months) == ["2024-01", "2024-02", "2024-03"]
    assert months["2024-01"] == sorted([*range(1, 20, 5), *range(3, 20, 5)])
    assert list(read("daily")) == ["2024-01-31", "2024-02-01", "2024-03-01"]
    ordered = sorted(range(20), key=lambda row: when[row])  # which is stable
    in_order = read(3)
    assert list(in_order.values()) == [sorted(ordered[start : start + 3]) for start in range(0, 20, 3)]


def test_rows_without_a_time_are_refused() -> None:
    table = pa.table({"x": [1.0, 2.0], "when": pa.array([None, 5], pa.timestamp("us"))})
    for chunks in (1, "daily"):
        with pytest.raises(InputRefused, match="1 row has no time"):
            Plan({"x": "number"}, {}, "when").read(Source("s", {}, iter(table.to_batches())), chunks)


def test_the_error_of_all_chunks_is_the_largest_of_them() -> None:
    samples = [Sample(np.ones(1), np.ones(1, int), 0, error) for error in (0.0, 0.03, 0.01)]
    chunks = [Chunk(str(at), 1, {"x": sample}) for at, sample in enumerate(samples)]
    assert total(chunks, "x").error == 0.03
    assert total(chunks[:1], "x") is samples[0]


def test_limits_from_chunks_of_the_reference() -> None:
    reference = people(2000, 1)
    settings = DriftSettings(methods=["wasserstein"], chunks=100, rule="reference_chunks", only=["age"])
    found = drift(reference, people(500, 2, older=8), settings)
    from scipy.stats import wasserstein_distance

    values = [wasserstein_distance(reference.age, reference.age[at : at + 100]) for at in range(0, 2000, 100)]
    assert found.rows[0].threshold == pytest.approx(np.mean(values) + 3 * np.std(values))
    assert all(item.drifted for item in found.rows)
    left_out = [np.delete(values, at) for at in range(20)]
    alarms = [abs(value - rest.mean()) > 3 * rest.std() for rest, value in zip(left_out, values, strict=True)]
    assert found.rows[0].false_alarm_rate == np.mean(alarms)


@pytest.mark.parametrize(("rows", "blocks"), [(1000, 20), (1049, 20), (999, 19)])
def test_twenty_whole_blocks_of_the_reference_are_enough_for_an_order(rows: int, blocks: int) -> None:
    found = drift(people(rows, 1), people(100, 2), DriftSettings(methods=["ks"], only=["age"], chunks=50))
    nulls = {item.null for item in found.rows}
    both = f"larger of {blocks} blocks of the reference and closed form"
    assert nulls == ({both} if blocks >= 20 else {"closed form"})
    said = "against 20 contiguous blocks of the reference" if blocks >= 20 else "the reference has fewer than 20 blocks"
    assert any(said in note for note in found.notes)
    asked = DriftSettings(methods=["ks"], only=["age"], chunks=50, null="blocks")
    assert {item.null for item in drift(people(rows, 1), people(100, 2), asked).rows} == {both}


def test_each_block_is_compared_with_the_rest_of_the_reference() -> None:
    from scipy.stats import ks_2samp

    reference, current = people(1000, 1), people(50, 2, older=2)
    found = drift(reference, current, DriftSettings(methods=["ks"], only=["age"], chunks=50))
    ages = reference.age.to_numpy()
    blocks = [ks_2samp(np.delete(ages, slice(at, at + 50)), ages[at : at + 50]).statistic for at in range(0, 1000, 50)]
    distance = ks_2samp(ages, current.age).statistic
    assert row(found, "age").p_value == (1 + sum(block >= distance - 1e-12 for block in blocks)) / 21


def test_a_last_chunk_of_much_fewer_rows_has_no_block_of_its_size() -> None:
    settings = DriftSettings(methods=["ks"], only=["age"], chunks=50)
    short, long = (drift(people(1000, 1), people(50 + rest, 2), settings).rows[1] for rest in (39, 40))
    assert short.p_value is None
    assert short.drifted is None
    assert short.reason == "its 39 rows are fewer than those of a block of the reference"
    assert (long.reason, long.p_value is None) == (None, False)
