"""Real files through the product's own commands: init, run, metrics, report."""

from __future__ import annotations

import csv
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from rai_assets_tests.acceptance.conftest import Rai

MINIMUM_SIZE = 5


def numbers(rai: Rai, name: str, *words: str) -> list[dict[str, Any]]:
    return json.loads(rai("metrics", name, *words, "--format", "json").stdout)


def overall(rai: Rai, name: str, definition: str, *words: str) -> float:
    """The value of a number of all rows; two assets that publish it agree."""
    (value,) = {
        number["value"]
        for number in numbers(rai, name, "--definition", definition, *words)
        if not number["group"] and not number["coordinates"]
    }
    return value


def test_adult_as_it_ships(rai: Rai, shared_data: Path, tmp_path: Path) -> None:
    adult = shared_data / "adult"
    done = rai(
        "init", "adult", "--data", adult / "adult.data.gz", "--test", adult / "adult.test.gz",
        "--columns", adult / "columns.txt", "--missing", "?", "--target", "income", "--positive", ">50K",
        "--sensitive", "sex,race",
    )  # fmt: skip
    assert "'<=50K.' as '<=50K'" in done.stdout
    rai("run", "adult")
    assert overall(rai, "adult", "true_positives", "--split", "train") > 5_000
    by_sex = {n["group"]["sex"]: n for n in numbers(rai, "adult", "--definition", "base_rate", "--by", "sex")}
    assert by_sex["Male"]["n"] + by_sex["Female"]["n"] == 16_281
    assert overall(rai, "adult", "accuracy") > 0.86
    assert overall(rai, "adult", "additivity_residual") < 1e-5
    gaps = numbers(rai, "adult", "--definition", "demographic_parity_difference", "--by", "race,sex")
    assert gaps[0]["coordinates"] == {"sensitive": "race,sex"} and gaps[0]["low"] > 0
    rai("report", "adult", "--output", "adult.html")
    assert "Amer-Indian-Eskimo" in (tmp_path / "adult.html").read_text()


def test_german_credit_with_an_age_edge(rai: Rai, shared_data: Path, tmp_path: Path) -> None:
    data = shared_data / "german" / "german.csv"
    rai("init", "german", "--data", data, "--target", "Class", "--positive", "1", "--sensitive", "Sex,Age")
    path = tmp_path / "defs" / "german" / "defs.yaml"
    declared = yaml.safe_load(path.read_text())
    declared["attributes"]["dataset"]["columns"]["Age"]["edges"] = [25]
    declared["attributes"]["model"] = {"estimator": "logistic_regression"}
    path.write_text(yaml.safe_dump(declared, sort_keys=False))
    rai("run", "german")
    ages = numbers(rai, "german", "--definition", "selection_rate", "--by", "Age")
    assert {n["group"]["Age"] for n in ages} == {"[-inf, 25)", "[25, inf)"}


def by_hand(people: pd.DataFrame, columns: list[str]) -> dict[tuple[str, tuple[str, ...]], float]:
    """{(metric, group): value} of `target` and `decision` in every crossing of the columns, from the definitions."""
    values = {}
    for group, rows in people.groupby(columns):
        hit, chosen = rows.target == 1, rows.decision == 1
        for metric, among, counted in (
            ("selection_rate", hit | ~hit, chosen),
            ("base_rate", hit | ~hit, hit),
            ("accuracy", hit | ~hit, hit == chosen),
            ("true_positive_rate", hit, chosen),
            ("false_positive_rate", ~hit, chosen),
            ("precision", chosen, hit),
            ("false_omission_rate", ~chosen, hit),
        ):
            if among.sum() >= MINIMUM_SIZE:
                values[metric, tuple(map(str, group))] = counted[among].mean()
    return values


def assert_all_groups_agree(rai: Rai, name: str, people: pd.DataFrame, columns: list[str]) -> None:
    published = numbers(rai, name)
    for order in range(1, len(columns) + 1):
        for crossed in map(list, combinations(columns, order)):
            found = {
                (number["definition"].removesuffix("@1"), tuple(map(number["group"].get, crossed))): number["value"]
                for number in published
                if set(number["group"]) == set(crossed) and not number["coordinates"] and number["value"] is not None
            }
            expected = by_hand(people, crossed)
            assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-12)


def test_logged_decisions_without_a_model(rai: Rai, shared_data: Path) -> None:
    data = shared_data / "acs_employment_ma" / "employment_MA_reference.csv.gz"
    rai(
        "init", "acs", "--data", data, "--target", "employed", "--positive", "1", "--sensitive", "SEX,RAC1P,DIS",
        "--prediction", "prediction", "--score", "predicted_probability", "--threshold", "0.5",
    )  # fmt: skip
    rai("run", "acs")
    people = pd.read_csv(data).rename(columns={"employed": "target", "prediction": "decision"})
    assert_all_groups_agree(rai, "acs", people, ["SEX", "RAC1P", "DIS"])
    assert 0 <= overall(rai, "acs", "expected_calibration_error") < 0.05


def test_logged_scores_with_a_threshold(rai: Rai, shared_data: Path) -> None:
    """ProPublica: 44.85 % of black and 23.45 % of white defendants who did not reoffend were labelled higher risk."""
    data = shared_data / "compas" / "compas_for_aequitas.csv"
    sensitive = ["race", "sex", "age_cat"]
    rai(
        "init", "compas", "--data", data, "--target", "label_value", "--positive", "1",
        "--sensitive", ",".join(sensitive), "--score", "score", "--threshold", "1",
    )  # fmt: skip
    rai("run", "compas")
    rates = {
        n["group"]["race"]: n["value"]
        for n in numbers(rai, "compas", "--definition", "false_positive_rate", "--by", "race")
    }
    assert rates["African-American"] == pytest.approx(0.4485, abs=5e-5)
    assert rates["Caucasian"] == pytest.approx(0.2345, abs=5e-5)
    people = pd.read_csv(data).rename(columns={"label_value": "target", "score": "decision"})
    assert_all_groups_agree(rai, "compas", people, sensitive)
    crossed = numbers(rai, "compas", "--definition", "false_positive_rate", "--by", ",".join(sensitive))
    hidden = [n for n in crossed if n["value"] is None]
    assert hidden
    assert all(n["reason"] for n in hidden)


def test_scores_of_one_to_ten_in_quoted_files_without_a_header(rai: Rai, tmp_path: Path) -> None:
    """Two files, semicolons, quotes, no header, a target spelled 1 and 2, a group of 11 people."""
    draw = np.random.default_rng(0)
    people = pd.DataFrame({"race": ["first nations"] * 11 + ["asian"] * 30 + [*draw.choice(["black", "white"], 2_000)]})
    people["sex"] = draw.choice(["F", "M"], len(people))
    people["score"] = draw.integers(1, 11, len(people))
    people["target"] = (draw.random(len(people)) < people.score / 12).astype(int)
    people["decision"] = (people.score >= 5).astype(int)
    written = people.assign(target=people.target + 1).drop(columns="decision").sample(frac=1, random_state=0)
    for name, rows in (("a.csv.gz", written[:900]), ("b.csv.gz", written[900:])):
        rows.to_csv(tmp_path / name, sep=";", header=False, index=False, quoting=csv.QUOTE_ALL)
    rai(
        "init", "deciles", "--data", "a.csv.gz", "--data", "b.csv.gz", "--columns", "race,sex,score,target",
        "--target", "target", "--positive", "2", "--score", "score", "--threshold", "5", "--sensitive", "race,sex",
    )  # fmt: skip
    rai("run", "deciles")
    assert_all_groups_agree(rai, "deciles", people, ["race", "sex"])
    few = numbers(rai, "deciles", "--definition", "selection_rate", "--by", "race")[2]
    assert (few["group"], few["n"], few["small"]) == ({"race": "first nations"}, 11, True)
    (error,) = numbers(rai, "deciles", "--definition", "expected_calibration_error")[:1]
    assert (error["value"], error["reason"]) == (None, "the score is not a probability")
