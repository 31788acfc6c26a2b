"""Labels find their predictions, and every way in which they can fail to is counted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rai_assets.errors import InputRefused
from rai_assets.monitoring.performance.labels import join_labels


def table(**columns: list) -> pa.Table:
    return pa.table(columns)


def test_labels_are_joined_in_any_order_on_all_identifiers() -> None:
    predictions = table(shop=["a", "a", "b", "b"], order=[1, 2, 1, 2])
    labels = table(order=[2, 1, 1], shop=["b", "a", "b"], paid=["no", "yes", "no"])
    arrived = join_labels(predictions, labels, ["shop", "order"], "paid")
    assert arrived.label.tolist() == [1, -1, 2, 0]
    assert arrived.sentences() == ["Labels have arrived for 3 of 4 predictions (75.0%)."]


def test_what_goes_wrong_is_counted() -> None:
    predictions = table(id=["1", "2", "3", "3", "4", "5", None, "6"])
    labels = table(
        id=["1", "1", "2", "2", "3", "9", None, "5", "6"],
        y=["yes", "yes", "yes", "no", "yes", "no", "yes", None, "no"],
    )
    arrived = join_labels(predictions, labels, ["id"], "y")
    assert arrived.label.tolist() == [0, -1, -1, -1, -1, -1, -1, 8]
    assert (arrived.repeated, arrived.again, arrived.contradicted, arrived.unmatched) == (2, 1, 1, 1)
    assert any("contradict each other" in sentence for sentence in arrived.sentences())


def test_a_contradiction_of_missing_and_known_is_none() -> None:
    arrived = join_labels(table(id=[1]), table(id=[1, 1], y=[None, 0.5]), ["id"], "y")
    assert arrived.label.tolist() == [1] and arrived.contradicted == 0


def test_identifiers_do_not_run_together() -> None:
    predictions, labels = table(a=["x", "xy"], b=["yz", "z"]), table(a=["xy"], b=["z"], y=[1])
    assert join_labels(predictions, labels, ["a", "b"], "y").label.tolist() == [-1, 0]


def test_whole_numbers_match_dictionaries_of_text() -> None:
    predictions = table(id=[10, 20])
    labels = pa.table({"id": pa.array(["20", "10"]).dictionary_encode(), "y": pa.array(["a", "b"]).dictionary_encode()})
    assert join_labels(predictions, labels, ["id"], "y").label.tolist() == [1, 0]


def test_no_labels_and_no_predictions() -> None:
    nothing = pa.table({"id": pa.array([], pa.int64()), "y": pa.array([], pa.int64())})
    assert join_labels(table(id=[1, 2]), nothing, ["id"], "y").label.tolist() == [-1, -1]
    assert join_labels(nothing, table(id=[1], y=[1]), ["id"], "y").unmatched == 1


def test_a_missing_column_or_identifier_is_refused() -> None:
    with pytest.raises(InputRefused, match="labels have no column 'y'\n  Fix: they need 'id', 'y'"):
        join_labels(table(id=[1]), table(id=[1]), ["id"], "y")
    with pytest.raises(InputRefused, match="none is declared"):
        join_labels(table(id=[1]), table(id=[1], y=[1]), [], "y")


names = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3)), max_size=12)


@given(asked=names, offered=names, seed=st.integers(0, 99))
def test_the_join_is_the_one_row_by_row(asked: list, offered: list, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2, len(offered)).tolist()

    def frame(rows: list, **more: list) -> pa.Table:
        first, second = pa.array([row[0] for row in rows], pa.string()), pa.array([row[1] for row in rows], pa.int64())
        return pa.table({"one": first, "two": second, **{k: pa.array(v, pa.int64()) for k, v in more.items()}})

    arrived = join_labels(frame(asked), frame(offered, y=values), ["one", "two"], "y")
    for row, key in enumerate(asked):
        hits = [at for at, other in enumerate(offered) if other == key and None not in key]
        usable = hits and asked.count(key) == 1 and len({values[at] for at in hits}) == 1
        assert arrived.label[row] == (hits[0] if usable else -1)
