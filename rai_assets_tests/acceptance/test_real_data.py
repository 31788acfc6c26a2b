"""Real files through the product's own commands: init, run, metrics, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rai_assets_tests.acceptance.conftest import Rai


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


def test_logged_decisions_without_a_model(rai: Rai, shared_data: Path) -> None:
    data = shared_data / "acs_employment_ma" / "employment_MA_reference.csv.gz"
    rai(
        "init", "acs", "--data", data, "--target", "employed", "--positive", "1", "--sensitive", "SEX,RAC1P",
        "--prediction", "prediction", "--score", "predicted_probability", "--threshold", "0.5",
    )  # fmt: skip
    rai("run", "acs")
    counted = [
        overall(rai, "acs", f"{cell}_{sign}s") for cell in ("true", "false") for sign in ("positive", "negative")
    ]
    assert sum(counted) == 68_785
    assert 0 <= overall(rai, "acs", "expected_calibration_error") < 0.05


def test_scores_of_one_to_ten_with_a_threshold(rai: Rai, shared_data: Path) -> None:
    """ProPublica: 44.85 % of black and 23.45 % of white defendants who did not reoffend were labelled higher risk."""
    data = shared_data / "compas" / "compas_for_aequitas.csv"
    rai(
        "init", "compas", "--data", data, "--target", "label_value", "--positive", "1",
        "--sensitive", "race,sex,age_cat", "--score", "score", "--threshold", "1",
    )  # fmt: skip
    rai("run", "compas")
    rates = {
        n["group"]["race"]: n["value"]
        for n in numbers(rai, "compas", "--definition", "false_positive_rate", "--by", "race")
    }
    assert rates["African-American"] == pytest.approx(0.4485, abs=5e-5)
    assert rates["Caucasian"] == pytest.approx(0.2345, abs=5e-5)
    crossed = numbers(rai, "compas", "--definition", "false_positive_rate", "--by", "race,sex,age_cat")
    hidden = [n for n in crossed if n["value"] is None]
    assert all(n["reason"] for n in hidden)
