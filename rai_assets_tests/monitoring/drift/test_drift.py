"""`drift` on files, frames and tables: what it compares, what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from rai_assets.errors import InputRefused, UsageError
from rai_assets.monitoring.drift import DriftSettings, drift
from rai_assets_tests.monitoring.drift.conftest import people, row


def test_what_changed_is_found_and_nothing_else() -> None:
    found = drift(people(2000, 1), people(1000, 2, older=3))
    assert [item.column for item in found.drifted] == ["age"]
    age = row(found, "age")
    assert (age.method, age.definition, age.n_reference, age.n_current) == ("ks", "ks_statistic@1", 2000, 1000)
    assert age.effect == age.statistic and age.rank == 1 and age.threshold == 0.05
    assert row(found, "sex").method == row(found, "children").method == "chi_squared"
    assert {item.method for item in found.rows if item.column == "income"} == {"ks", "missing"}


def test_the_values_that_drive_a_drift_are_named() -> None:
    found = drift(people(3000, 1), people(3000, 2, women=0.7))
    before, now = (np.mean(people(3000, *args).sex == "F") for args in ((1,), (2, 0.0, 0.7)))
    assert f"F: {100 * before:.1f} % -> {100 * now:.1f} %" in row(found, "sex").drivers


def test_files_frames_tables_and_readers_say_the_same(tmp_path: Path) -> None:
    sides = people(800, 1), people(600, 2, older=2)
    tables = [pa.Table.from_pandas(side, preserve_index=False) for side in sides]
    for name, frame, table in zip(("before", "now"), sides, tables, strict=True):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        parquet.write_table(table, tmp_path / f"{name}.parquet")
    found = [
        drift(*sides),
        drift(*tables),
        drift(*(table.to_reader() for table in tables)),
        drift(tmp_path / "before.csv", tmp_path / "now.csv"),
        drift(str(tmp_path / "before.parquet"), tmp_path / "now.parquet"),
        drift(tables[0], tmp_path / "now.csv"),
    ]
    assert all(item.rows == found[0].rows for item in found)


def test_the_seed_decides_what_is_redrawn_and_nothing_else() -> None:
    sides, settings = (people(300, 1), people(200, 2)), DriftSettings(methods=["psi"])
    first, again, other = (drift(*sides, settings, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert [item.statistic for item in first.rows] == [item.statistic for item in other.rows]
    assert [item.p_value for item in first.rows] != [item.p_value for item in other.rows]
    alone = drift(*sides, DriftSettings(methods=["psi"], only=["age"]), seed=0)
    assert row(alone, "age").p_value == row(first, "age").p_value


def test_methods_may_be_named_for_all_columns_or_for_one() -> None:
    settings = DriftSettings(methods=["js", "ks"], columns={"age": ["wasserstein"]}, categorical=["children"])
    found = drift(people(500, 1), people(500, 2), settings)
    methods = {(item.column, item.method) for item in found.rows}
    assert methods == {
        ("age", "wasserstein"),
        ("sex", "jensen_shannon"),
        ("children", "jensen_shannon"),
        ("income", "jensen_shannon"),
        ("income", "ks"),
    }
    only_ks = row(drift(people(50, 1), people(50, 2), DriftSettings(methods=["ks"])), "sex")
    assert only_ks.statistic is None
    assert only_ks.reason == (
        "ks compares numbers; what compares texts: psi, jensen_shannon, hellinger, chi_squared, l_infinity, missing, "
        "unseen, vocabulary, length"
    )
    # Of several that are named for one column, the one that does not fit has a row that says so.
    several = drift(people(50, 1), people(50, 2), DriftSettings(columns={"age": ["ks", "unseen"]}, only=["age"]))
    assert [(item.method, item.drifted is None) for item in several.rows] == [("ks", False), ("", True)]
    assert str(several.rows[1].reason).startswith(
        "unseen compares categories and numbers of at most 10 values; `categorical`"
    )


def test_importance_ranks_columns() -> None:
    settings = DriftSettings(importance={"sex": 100.0})
    found = drift(people(2000, 1), people(2000, 2, older=3, women=0.7), settings)
    assert [item.column for item in found.drifted] == ["sex", "age"]


def test_small_effects_can_be_let_pass() -> None:
    sides = people(20_000, 1), people(20_000, 2, older=1)
    assert row(drift(*sides), "age").drifted
    assert not row(drift(*sides, DriftSettings(minimum_effect=0.2)), "age").drifted


def test_fixed_limits_and_their_false_alarms() -> None:
    sides = people(100, 1), people(100, 2)
    found = drift(*sides, DriftSettings(methods=["psi"], rule="fixed", limits={"psi": 0.1}))
    age = row(found, "age")
    assert age.threshold == 0.1 and age.p_value is None
    # Ten bins of a hundred rows a side: E[PSI] is about 9 (1/100 + 1/100) = 0.18.
    assert age.false_alarm_rate is not None and age.false_alarm_rate > 0.5
    assert any("if nothing has changed" in note for note in found.notes)


def test_evidently_chooses_by_the_size_of_the_reference() -> None:
    few = drift(people(900, 1), people(900, 2), DriftSettings(rule="evidently"))
    many = drift(people(1100, 1), people(900, 2), DriftSettings(rule="evidently"))
    assert [row(few, name).method for name in ("age", "sex", "children")] == ["ks", "chi_squared", "chi_squared"]
    assert [row(many, name).method for name in ("age", "sex", "children")] == [
        "wasserstein",
        "jensen_shannon",
        "jensen_shannon",
    ]
    assert row(many, "age").threshold == pytest.approx(0.1 * people(1100, 1).age.std(ddof=0))
    assert row(many, "sex").threshold == pytest.approx(0.1 / np.sqrt(np.log(2)))


def test_texts_by_their_words_and_their_length() -> None:
    rng = np.random.default_rng(0)
    old, new = (text.split() for text in ("the cat sat on a mat near some dogs", "free prize call now to win cash"))

    def texts(words: list[str], n: int) -> pd.DataFrame:
        return pd.DataFrame({"message": [" ".join(rng.choice(words, rng.integers(4, 9))) for _ in range(n)]})

    same = drift(texts(old, 300), texts(old, 200))
    other = drift(texts(old, 300), texts(old + new, 200))
    assert {item.method for item in same.rows} == {"vocabulary", "length"}
    assert not same.drifted
    assert row(other, "message", "vocabulary").drifted


def test_a_few_unseen_values_and_many() -> None:
    reference = pd.DataFrame({"x": ["a"] * 500 + ["b"] * 500})
    settings = DriftSettings(methods=["unseen"])
    one, many = (pd.DataFrame({"x": ["a"] * (500 - new) + ["c"] * new}) for new in (1, 20))
    assert row(drift(reference, one, settings), "x").statistic == 0.002
    assert not row(drift(reference, one, settings), "x").drifted
    assert row(drift(reference, many, settings), "x").drifted


def test_over_a_million_rows_the_error_of_the_sketch_is_said() -> None:
    rng = np.random.default_rng(0)
    sides = [pa.table({"x": rng.normal(shift, size=1_500_000)}) for shift in (0.0, 0.02)]
    found = drift(*sides, DriftSettings(methods=["ks"]))
    from scipy.stats import ks_2samp

    exact = ks_2samp(*(side["x"].to_numpy() for side in sides), method="asymp").statistic
    item = row(found, "x")
    assert item.statistic is not None and 0 < item.error < 0.001
    assert abs(item.statistic - exact) <= item.error
    assert any("sketched" in note for note in found.notes)
    whole = [pa.table({"x": rng.integers(0, 90, 1_500_000)}) for _ in range(2)]
    assert row(drift(*whole, DriftSettings(methods=["ks"])), "x").error == 0


def test_columns_that_cannot_be_compared_say_why() -> None:
    before = pd.DataFrame({"id": range(50), "a": range(50), "b": ["x", "y"] * 25, "c": [None] * 50, "gone": range(50)})
    now = pd.DataFrame({"id": range(90, 130), "a": ["u", "v"] * 20, "b": [None] * 40, "c": [None] * 40})
    found = drift(before, now)
    assert row(found, "id").reason == "it names the rows: every one has its own value"
    assert row(found, "a").reason == "numbers in reference, texts in current"
    assert row(found, "c").reason == "no row has a value"
    assert row(found, "gone").reason == "only reference has it"
    assert row(found, "b", "chi_squared").reason == "no current row has a value"
    assert row(found, "b", "missing").drifted


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]}), "no column in common"),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": []}, dtype=float), "it has no rows"),
        (pd.DataFrame({"a": [[1]]}), pd.DataFrame({"a": [[2]]}), "no column in common"),
        (pd.DataFrame({"a": [1, "x"]}), pd.DataFrame({"a": [1]}), "several types"),
        (3, pd.DataFrame({"a": [1]}), "the reference is a int"),
    ],
)
def test_what_cannot_be_compared_is_refused(before: object, now: object, said: str) -> None:
    with pytest.raises(InputRefused, match=said):
        drift(before, now)


def test_single_rows_constants_and_infinities_have_an_answer() -> None:
    def one(*values: float) -> pd.DataFrame:
        return pd.DataFrame({"x": values})

    every = DriftSettings(methods=["ks", "wasserstein", "psi", "jensen_shannon", "hellinger", "missing"])
    for before, now in ((one(1), one(1)), (one(1, 1, 1), one(2)), (one(5), one(5, 6, 7))):
        rows = {item.method: item for item in drift(before, now, every).rows}
        assert all(item.statistic is not None and not item.drifted for item in rows.values())
    same = drift(one(4, 4, 4), one(4, 4), every)
    assert {item.statistic for item in same.rows} == {0.0}
    endless = {item.method: item for item in drift(one(1, 2, np.inf), one(1, np.inf, -np.inf), every).rows}
    assert endless["wasserstein"].reason == "infinite values have no distance"
    assert endless["ks"].statistic == pytest.approx(1 / 3)
    assert endless["jensen_shannon"].statistic is not None


def test_settings_that_do_not_fit_together() -> None:
    for wrong in (
        {"chunks": "daily"},
        {"rule": "reference_chunks"},
        {"rule": "fixed"},
        {"limits": {"ks": 0.1}},
        {"rule": "evidently", "methods": ["ks"]},
        {"rule": "evidently", "level": 0.01},
        {"methods": ["guess"]},
        {"level": 1.5},
        {"level": 1e-9},
        {"chunks": 0},
        {"chunks": "weekly"},
        {"columns": {"age": []}},
        {"rule": "fixed", "limits": {"psi": -0.1}},
        {"rule": "fixed", "limits": {"psi": 0.2}, "methods": ["ks", "psi"]},
        {"rule": "fixed", "limits": {"psi": 0.2}, "columns": {"age": ["ks"]}},
        {"rule": "fixed", "limits": {"psi": 0.2}, "null": "blocks"},
        {"rule": "textbook", "null": "permutation"},
        {"deviations": 2.0},
    ):
        with pytest.raises(ValidationError):
            DriftSettings(**wrong)
    with pytest.raises(UsageError, match="blocks"):
        drift(people(50, 1), people(50, 2), DriftSettings(null="blocks"))


def test_settings_may_be_a_dict() -> None:
    sides = people(50, 1), people(50, 2)
    given = {"methods": ["Kolmogorov-Smirnov"], "only": ["age"], "chunks": 25}
    assert drift(*sides, given) == drift(*sides, DriftSettings(methods=["ks"], only=["age"], chunks=25))
    for wrong, said in (
        ({"level": 2}, "level: Input should be less than 1"),
        ({"metods": ["ks"]}, "metods: there is no such setting; did you mean methods, limits?"),
        (["ks"], "settings: the settings of drift are a list\n  Fix: give DriftSettings, or a dict"),
    ):
        with pytest.raises(UsageError) as refused:
            drift(*sides, wrong)  # type: ignore[arg-type]
        assert said in str(refused.value)


def test_values_of_every_type_are_compared() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "truth": rng.random(60) < 0.5,
            "label": pd.Categorical(rng.choice(list("xyz"), 60)),
            "day": pd.date_range("2024-01-01", periods=60),
            "span": pd.to_timedelta(rng.integers(0, 9, 60), "s"),
            "small": rng.random(60).astype("float32"),
            "nullable": pd.array(rng.integers(0, 5, 60), dtype="Int64"),
            "huge": np.full(60, 2**63 + 1, dtype="uint64"),
        }
    )
    found = drift(frame, frame.sample(30, random_state=1))
    assert [item.column for item in found.rows] == list(frame.columns)
    assert all(item.statistic is not None and not item.drifted for item in found.rows)
    nested = pa.table({"x": [1, 2], "list": [[1], [2]]})
    assert row(drift(nested, nested), "list").reason == "it holds list<item: int64>, not single values"


def test_too_few_blocks_for_the_level_are_no_all_clear() -> None:
    reference, older = people(1000, 1), people(100, 2, older=30)
    asked = DriftSettings(methods=["ks"], only=["age"], chunks=100, null="blocks")
    (found,) = drift(reference, older, asked).rows
    assert (found.drifted, found.reason) == (None, "10 blocks of the reference can give no p-value below 0.091")
    chunked = asked.model_copy(update={"chunks": 50})
    assert drift(reference, older, chunked).drifted, "1 / 21 is below 5 %"
    strict = chunked.model_copy(update={"null": "auto", "level": 0.01})
    found = drift(reference, older, strict)
    assert found.drifted and {item.null for item in found.rows} == {"closed form"}
    assert any("the reference has fewer than 99 blocks" in note for note in found.notes)


def test_two_columns_of_one_name_cannot_be_compared() -> None:
    twice = people(50, 1).rename(columns={"children": "age"})
    with pytest.raises(InputRefused, match="reference: the column name 'age' stands twice"):
        drift(twice, people(50, 2))
    with pytest.raises(InputRefused, match="current: the column name 'age' stands twice"):
        drift(people(50, 2), pa.table([[1.0], [2.0]], names=["age", "age"]))


def test_a_column_of_one_value_has_no_order() -> None:
    found = drift(pd.DataFrame({"one": [7] * 60}), pd.DataFrame({"one": [7] * 60}), DriftSettings(chunks=20))
    assert not any("order of the rows" in note for note in found.notes)


def test_limits_are_those_of_the_methods_that_are_used() -> None:
    limits = DriftSettings(rule="fixed", limits={"psi": 0.2, "ks": 0.5})
    rows = drift(people(500, 1), people(500, 2, older=9), limits).rows
    assert {(item.column, item.method, item.drifted) for item in rows} >= {("age", "psi", True), ("age", "ks", False)}
    assert {item.method for item in rows} == {"psi", "ks"}


def test_the_p_values_of_one_chunk_are_adjusted_together() -> None:
    found = drift(people(400, 1), people(300, 2, older=1.5, women=0.56))
    plain, adjusted = ([getattr(item, name) for item in found.rows] for name in ("p_value", "family_p_value"))
    order = np.argsort(plain)
    expected = np.minimum(np.maximum.accumulate(np.array(plain)[order] * (len(plain) - np.arange(len(plain)))), 1)
    assert np.array(adjusted)[order] == pytest.approx(expected)
    assert [item.drifted for item in found.rows] == [item.family_p_value <= 0.05 for item in found.rows]
