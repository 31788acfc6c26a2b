"""Scores from Parquet and of single rows against the scikit-learn pipeline that they were exported from.

Both sides fit the same estimator on the same columns (6 numbers, 8 categories as text): the trees are the same trees,
the coefficients of a logistic regression those at which its solver stopped; the lines say how far apart the answers
are. The forest has scikit-learn's defaults, leaves of one row, and so is as deep as they get. Rows are those of UCI
Adult drawn with replacement where `../shared/data/adult` is there, else made rows of the same shape. One thread on
either side.

* file: from a Parquet file with categories as plain text to probabilities. Ours reads it in batches, with the text as
  dictionary codes, and scores each as it is read; the peer is `pd.read_parquet` and `predict_proba`.
* row: one row a call. Ours is a record (a dict, every value held against the contract) or an Arrow table of one row;
  the peer's row is a DataFrame that is there already.
* memory: the peak of our process for four times the rows.

    python benchmarks/scoring.py [rows]
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from _adult import COLUMNS, NUMBERS, TEXTS, population
from _measure import Taken, alone, line, measure
from pyarrow import parquet

from rai_assets.data.contract import Contract
from rai_assets.data.settings import DatasetSettings
from rai_assets.model.records import RecordScorer
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.settings import ModelSettings
from rai_assets.model.training import train
from rai_assets.model.version import ModelVersion

MODELS: dict[str, tuple[dict[str, Any], float]] = {  # parameters, goal from a file
    "logistic_regression": ({}, 10.0),
    "hist_gradient_boosting": ({}, 2.0),
    "random_forest": ({"n_estimators": 100, "min_samples_leaf": 1}, 2.0),
}
ONE_ROW_GOAL = 50.0
ROWS, ASKED = 500_000, 100


def contract() -> Contract:
    declared: dict[str, Any] = {name: {"dtype": "category"} for name in TEXTS}
    declared |= {name: {"dtype": "integer", "minimum": 0} for name in NUMBERS}
    target = {"role": "target", "dtype": "category", "positive": ">50K", "allowed": ["<=50K", ">50K"]}
    columns = {name: declared[name] for name in COLUMNS} | {"income": target}
    return Contract.of(DatasetSettings.model_validate({"files": [{"path": "adult.csv"}], "columns": columns}))


def pipeline(name: str) -> Any:
    """What scikit-learn's users would write, the columns in the order of our core's matrix."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    numbers: Any = "passthrough"
    texts: Any = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    if name == "logistic_regression":
        numbers, texts = StandardScaler(), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    estimator = {
        "logistic_regression": LogisticRegression(max_iter=1000),
        "hist_gradient_boosting": HistGradientBoostingClassifier(random_state=0),
        "random_forest": RandomForestClassifier(100, random_state=0),
    }[name]
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    return make_pipeline(columns, estimator)


def prepare(folder: Path, rows: int) -> str:
    """Write both sides' models and the files into a folder; where the rows are from."""
    table, origin = population()
    frame = table.to_pandas()
    for name, (parameters, _) in MODELS.items():
        version = train(table, contract(), ModelSettings(estimator=name, parameters=parameters))  # type: ignore[arg-type]
        (folder / f"{name}.version").write_bytes(pickle.dumps(version.files()))
        fitted = pipeline(name).fit(frame[COLUMNS], frame["income"])
        (folder / f"{name}.pipeline").write_bytes(pickle.dumps(fitted))
    draw = np.random.default_rng(0)
    for size in (rows, 4 * rows):
        drawn = table.select(COLUMNS).take(draw.integers(0, table.num_rows, size))
        parquet.write_table(drawn, folder / f"{size}.parquet")
    return origin


def session_of(folder: Path, name: str) -> ScoringSession:
    return ScoringSession(ModelVersion.from_files(pickle.loads((folder / f"{name}.version").read_bytes())))


def our_file(folder: Path, name: str, rows: int, repeats: int) -> Taken:
    """Probabilities of the first thousand rows are what is returned."""
    session = session_of(folder, name)

    def work() -> np.ndarray:
        with parquet.ParquetFile(folder / f"{rows}.parquet", read_dictionary=TEXTS) as file:
            batches = file.iter_batches(65_536, columns=list(session.features), use_threads=False)
            return session.stream(batches, rows)[:1000, 1]

    session.scores(some_rows(folder, rows, 1000))  # compiled code is loaded
    return measure(work, repeats)


def peer_file(folder: Path, name: str, rows: int, repeats: int) -> Taken:
    import pandas as pd

    fitted = pickle.loads((folder / f"{name}.pipeline").read_bytes())
    fitted.predict_proba(some_rows(folder, rows, 1000).to_pandas())
    return measure(lambda: fitted.predict_proba(pd.read_parquet(folder / f"{rows}.parquet"))[:1000, 1], repeats)


def our_row(folder: Path, name: str, rows: int, calls: int) -> tuple[Taken, Taken]:
    session, table = session_of(folder, name), some_rows(folder, rows, ASKED)
    scorer, records = RecordScorer(session, contract()), table.to_pylist()
    tables = [table.slice(row, 1).combine_chunks() for row in range(ASKED)]
    by_record = measure(lambda: [scorer.score([records[k % ASKED]]).scores[0, 1] for k in range(calls)][:ASKED], 3)
    by_table = measure(lambda: [session.scores(tables[k % ASKED])[0, 1] for k in range(calls)][:ASKED], 3)
    return by_record, by_table


def peer_row(folder: Path, name: str, rows: int, calls: int) -> Taken:
    fitted = pickle.loads((folder / f"{name}.pipeline").read_bytes())
    frame = some_rows(folder, rows, ASKED).to_pandas()
    frames = [frame.iloc[row : row + 1] for row in range(ASKED)]
    return measure(lambda: [fitted.predict_proba(frames[k % ASKED])[0, 1] for k in range(calls)][:ASKED], 3)


def some_rows(folder: Path, rows: int, n: int) -> pa.Table:
    with parquet.ParquetFile(folder / f"{rows}.parquet") as file:
        return pa.Table.from_batches([next(file.iter_batches(n))])


def apart(ours: Taken, peer: Taken) -> float:
    return float(np.abs(np.subtract(ours.value, peer.value)).max())


def main() -> None:
    """Print every line."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        origin = alone(prepare, folder, rows).value
        for model, (_, goal) in MODELS.items():
            repeats = 1 if model == "random_forest" else 3
            ours = alone(our_file, folder, model, rows, repeats).value
            peer = alone(peer_file, folder, model, rows, repeats).value
            line(
                f"scores of a Parquet file, {rows:,} rows, 6 numbers and 8 texts: {model}",
                ours=ours.cpu,
                peer=peer.cpu,
                unit="cpu-seconds",
                goal=goal,
                peer_is="pd.read_parquet and predict_proba of the scikit-learn pipeline; nothing is scaled",
                rows_of=origin,
                largest_difference=apart(ours, peer),
                our_peak_mib=round(ours.peak_mib),
                peer_peak_mib=round(peer.peak_mib),
            )
            by_record, by_table = alone(our_row, folder, model, rows, 2000).value
            peer = alone(peer_row, folder, model, rows, ASKED).value
            for taken, what in ((by_record, "a record"), (by_table, "an Arrow table of one row")):
                line(
                    f"score of {what}: {model}",
                    ours=taken.cpu / 2000 * 1000,
                    peer=peer.cpu / ASKED * 1000,
                    unit="cpu-milliseconds",
                    goal=ONE_ROW_GOAL,
                    peer_is="predict_proba of the scikit-learn pipeline on a DataFrame of one row; nothing is scaled",
                    rows_of=origin,
                    largest_difference=apart(taken, peer),
                )
        few, many = (
            alone(our_file, folder, "hist_gradient_boosting", size, 1).value.peak_mib for size in (rows, 4 * rows)
        )
        line(
            f"peak memory of scoring {4 * rows:,} rows from Parquet: hist_gradient_boosting",
            ours=many,
            peer=few,
            unit="MiB",
            goal=0.8,
            peer_is=f"ours for {rows:,} rows",
            rows_of=origin,
        )


if __name__ == "__main__":
    main()
