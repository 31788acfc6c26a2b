"""Whatever table comes: `rai init` and `rai run` end in a result or in one clear refusal, and no value is changed.

The table is made value by value, written as CSV or Parquet, and compared with what the dataset holds in the end.
"""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rai_assets.data.dataset import Dataset
from rai_assets.keys import repository_name
from rai_assets.store.open import open_repository
from rai_assets.use_case.declaration import load
from rai_assets_tests.hostile.conftest import Case, at_home

NAME = "anything"
MEANT_AS_RESULT, MEANT_AS_REFUSAL = {0, 1}, {2, 3}

# Texts of every kind, with those that readers like to take for something else.
odd_texts = st.sampled_from(
    ["", " ", "NA", "null", "None", "nan", "inf", "-inf", "1e400", "00123", "0x1F", "1_000", "TRUE", "yes", "NO", "?",
     "1.10", "12:30:00", "2024-01-01", "=1+1", "a,b", 'say "x"', "a\nb", "é", "日本", "\u202eabc", "'", "#x", ";", "\t",
     "9223372036854775808", "-0", "+1", "1e5", ".5", "5.", "<b>", "{{7*7}}", "a" * 300]
)  # fmt: skip
any_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)
texts = st.one_of(odd_texts, any_texts)
names = st.one_of(
    st.sampled_from(["a", "b", "id", "x 1", "é", "A.b", "__proto__", "yes", "1", "#c", "naïve", "key", "=x", "a,b"]),
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12),
)
finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(finite, finite.map(lambda value: round(value, 2)), st.integers(-(2**70), 2**70).map(float))
columns: dict[str, st.SearchStrategy[Any]] = {
    "words": st.sampled_from(["red", "green", "blue"]),
    "integers": st.integers(-1000, 1000),
    "large": st.integers(-(2**63), 2**63 - 1),
    "numbers": numbers,
    "flags": st.booleans(),
    "texts": texts,
    "mixed": st.one_of(st.integers(-5, 5), texts),
}


@dataclass(frozen=True)
class Made:
    """A table, and how it is written.

    Attributes:
        columns: {name: values}; None where one is missing.
        target: The column to predict.
        encoding: Text encoding of the CSV file.
        separator: Its separator.
        binary: Whether it is a Parquet file, with types of its own.
    """

    columns: dict[str, list[Any]]
    target: str
    encoding: str
    separator: str
    binary: bool


@st.composite
def tables(draw: st.DrawFn) -> Made:
    rows = draw(st.integers(0, 60))
    width = draw(st.integers(1, 4))
    made: dict[str, list[Any]] = {}
    for _ in range(width):
        kind = draw(st.sampled_from(sorted(columns)))
        pool = draw(st.lists(columns[kind], min_size=1, max_size=12))
        if draw(st.booleans()) and kind not in ("texts", "mixed"):
            pool.append(None)
        chance = draw(st.randoms(use_true_random=False))
        made[draw(names)] = [chance.choice(pool) for _ in range(rows)]
    chance = draw(st.randoms(use_true_random=False))
    labels = draw(
        st.sampled_from([["no", "yes"], [0, 1], ["a", "b", "c"], [1.5, 2.5, 3.5, 9.25], [True, False], ["x"]])
    )
    made["y"] = [chance.choice(labels) for _ in range(rows)]
    return Made(
        made,
        draw(st.sampled_from(["y", "y", "y", *made])),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        draw(st.sampled_from(",;\t|")),
        draw(st.booleans()),
    )


def spelled(value: Any) -> str:
    """A value as a writer of CSV spells it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def write(table: Made, folder: Path) -> Path:
    if table.binary:
        path = folder / "any.parquet"
        arrays = [_array(values) for values in table.columns.values()]
        parquet.write_table(pa.Table.from_arrays(arrays, names=list(table.columns)), path)
        return path
    path = folder / "any.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=table.separator, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[spelled(value) for value in row] for row in zip(*table.columns.values(), strict=True)])
    path.write_bytes(text.getvalue().encode(table.encoding, errors="replace"))
    return path


def _array(values: list[Any]) -> pa.Array:
    known = {type(value) for value in values if value is not None}
    if len(known) > 1:
        return pa.array([None if value is None else spelled(value) for value in values], pa.string())
    return pa.array(values)


def meant(table: Made, name: str, value: Any) -> Any:
    """What went into the file: in a text file a spelling, in Parquet the value; a `?` of cp1252 stands for no sign."""
    if table.binary:
        mixed = len({type(item) for item in table.columns[name] if item is not None}) > 1
        return spelled(value) if mixed and value is not None else value
    return spelled(value).encode(table.encoding, errors="replace").decode(table.encoding)


def check_kept(table: Made, folder: Path) -> None:
    """Every declared value in the dataset is the one that was written, read as its column's declared type."""
    declared = load(folder / "defs" / NAME / "defs.yaml")
    assert declared is not None
    dataset = declared.use_case.dataset
    stored = Dataset(open_repository(folder / ".rai", repository_name(NAME), create=False), "main").table()
    written = dict(zip(dataset.columns, table.columns.items(), strict=True))
    for name in stored.column_names:
        original, values = written[name]
        read = _READERS[dataset.columns[name].dtype]
        aliases = dataset.aliases.get(name, {})
        expected = []
        for value in values:
            text = meant(table, original, value)
            if isinstance(text, str):
                text = text.strip(" \t\n\v\f\r") if dataset.trim else text
                text = aliases.get(text, text)
                text = None if text in dataset.missing else text
            expected.append(None if text is None else read(text))
        assert stored[name].to_pylist() == expected, name


def _number(value: Any) -> float:
    number = float(value)
    assert math.isfinite(number)
    return number


def _integer(value: Any) -> int:
    assert not isinstance(value, str) or "_" not in value
    assert not isinstance(value, float) or value.is_integer()
    return int(value)


def _boolean(value: Any) -> bool:
    return value if isinstance(value, bool) else {"true": True, "false": False}[value.lower()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else spelled(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "category": _text,
    "text": _text,
    "timestamp": lambda text: pa.scalar(text).cast(pa.timestamp("us")).as_py(),
}


def ends_well(table: Made, folder: Path, patch: pytest.MonkeyPatch, *, whole: bool) -> str:
    """Bring the table to `rai init` and `rai run`; how it ended, in a word."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    at_home(folder, patch)
    case = Case(folder)
    path = write(table, folder)
    done = case.rai("init", NAME, "--data", path.name, "--target", table.target)
    step = "init"
    if done.code == 0:
        step = "run"
        done = case.rai("run", NAME, *(() if whole else ("--only", "dataset")))
        if done.code in MEANT_AS_RESULT or ("dataset done" in done.err and "keep its contract" not in done.err):
            check_kept(table, folder)
    note(done.err[-3000:])
    assert done.code in MEANT_AS_RESULT | MEANT_AS_REFUSAL, done.err
    message = done.err[done.err.rfind("rai: ") :] if done.code in MEANT_AS_REFUSAL else ""
    assert "Traceback" not in done.err and "Warning" not in done.err
    assert not message or "Fix: " in message, message
    assert done.code == 0 or len(message) < 4000
    return f"{step} {done.code}"


def _property(examples: int, *, whole: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Settings of the two runs of the property."""

    def make(test: Callable[..., None]) -> Callable[..., None]:
        return settings(
            max_examples=examples,
            derandomize=not whole,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink] if whole else [Phase.explicit, Phase.generate],
        )(given(table=tables())(test))

    return make


@_property(15, whole=False)
def test_a_table_is_read_as_it_is_or_refused(tmp_path_factory: pytest.TempPathFactory, table: Made) -> None:
    with pytest.MonkeyPatch.context() as patch:
        event(ends_well(table, tmp_path_factory.getbasetemp() / "any", patch, whole=False))


@pytest.mark.nightly  # 300 audits
@pytest.mark.timeout(7200)
@_property(300, whole=True)
def test_a_table_is_audited_as_it_is_or_refused(tmp_path_factory: pytest.TempPathFactory, table: Made) -> None:
    with pytest.MonkeyPatch.context() as patch:
        event(ends_well(table, tmp_path_factory.getbasetemp() / "any_whole", patch, whole=True))
