"""A realistic audit for the tests of the report: a credit model, three sensitive columns, one failing requirement."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

from rai_assets.charts import grouped_interval_bars, heat_map, histogram, horizontal_bars, interval_bars, lines
from rai_assets.metrics.number import Number
from rai_assets.metrics.requirements import Requirement, Verdict
from rai_assets.provenance import Provenance
from rai_assets.report.audit import Audit, Column, Data, Judged, Model, Section

MODEL = "9c1185a5c5e9fc54612808977ee8f548b2258d31ddaf0c0a2e4f4b1d6a1b7e02"
DATA_COMMIT = "3f2a9c41d07be6a5b8c0d9e17f62a4b3c5d8e9f0"
RESULTS_COMMIT = "a81be73f5c0d42e69b17f3a2c4d5e6f708192a3b"
SEX = {"Female": 0.33, "Male": 0.67}
RACE = {"White": 0.855, "Black": 0.096, "Asian-Pac-Islander": 0.031, "Amer-Indian-Eskimo": 0.01, "Other": 0.008}
AGE = {"[17, 25)": 0.19, "[25, 45)": 0.5, "[45, 65)": 0.27, "[65, inf)": 0.04}
COLUMNS = {"sex": SEX, "race": RACE, "age_band": AGE}
ROWS = 16_281


def rate(definition: str, share: float, n: int, **more: Any) -> Number:
    """A rate with its Wilson interval, or the reason why it is not shown."""
    place = {"split": "test", "unit": "rate", "n": n} | more
    if n < 5:
        return Number(f"{definition}@1", None, reason=f"{n} rows, fewer than the minimum of 5", **place)
    value, z = round(share * n) / n, 1.959963984540054
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Number(f"{definition}@1", value, low, high, 0.95, small=n < 30, **place)


def group_numbers(columns: tuple[str, ...], rng: random.Random) -> list[Number]:
    """All rates of every group of some sensitive columns."""
    numbers = []
    for values in itertools.product(*(COLUMNS[column] for column in columns)):
        group = dict(zip(columns, values, strict=True))
        n = round(ROWS * math.prod(COLUMNS[column][value] for column, value in group.items()))
        lift = (
            0.19 * (group["sex"] == "Male" if "sex" in group else 0.67)
            + 0.03 * (group.get("race") == "White")
            + rng.uniform(-0.01, 0.01)
        )
        positives = max(1, round(n * (0.14 + lift)))
        numbers += [
            Number("count@1", n, unit="count", n=n, group=group, split="test"),
            rate("selection_rate", 0.09 + lift, n, group=group),
            rate("base_rate", 0.14 + lift, n, group=group),
            rate("true_positive_rate", 0.52 + lift / 2, positives, group=group),
            rate("false_positive_rate", 0.02 + lift / 3, n - positives, group=group),
            rate("precision", 0.7 + lift / 2, max(1, round(n * (0.09 + lift))), group=group),
            rate("accuracy", 0.9 - lift / 2, n, group=group),
            rate("false_omission_rate", 0.08 + lift / 4, n, group=group),
            rate("true_negative_rate", 0.98 - lift / 3, n - positives, group=group),
        ]
    return numbers


def gap_numbers() -> list[Number]:
    """Named gaps for each sensitive column and each intersection."""
    numbers = []
    sizes = {"sex": 0.19, "race": 0.11, "age_band": 0.24, "sex,race": 0.27, "sex,age_band": 0.33, "race,age_band": 0.3,
             "sex,race,age_band": 0.44}  # fmt: skip
    for sensitive, size in sizes.items():
        place: dict[str, Any] = {"coordinates": {"sensitive": sensitive}, "split": "test", "unit": "rate", "n": ROWS}
        for name, factor in (
            ("demographic_parity_difference", 1.0),
            ("equalized_odds_difference", 0.6),
            ("equal_opportunity_difference", 0.55),
            ("average_odds_difference", 0.35),
            ("true_positive_rate_difference", 0.6),
            ("false_positive_rate_difference", 0.3),
        ):
            gap = size * factor
            numbers.append(Number(f"{name}@1", gap, gap - 0.014, gap + 0.015, 0.95, **place))
        numbers.append(Number("four_fifths@1", 1 - size, 0.94 - size, 1.05 - size, 0.95, **place))
    return numbers


def performance() -> Section:
    """How well the model does."""
    place: dict[str, Any] = {"split": "test", "unit": "rate", "n": ROWS}
    numbers = [
        Number("count@1", ROWS, unit="count", n=ROWS, split="test"),
        rate("accuracy", 0.853, ROWS),
        Number("roc_auc@1", 0.9062, 0.9013, 0.9111, 0.95, **place),
        Number("log_loss@1", 0.3193, 0.3101, 0.3285, 0.95, **place),
        Number("brier_score@1", 0.1021, 0.0991, 0.1051, 0.95, **place),
        Number("expected_calibration_error@1", 0.00832, 0.00612, 0.0129, 0.95, **place),
        rate("true_positive_rate", 0.6053, 3_846),
        rate("false_positive_rate", 0.0698, 12_435),
        rate("precision", 0.728, 3_198),
        rate("accuracy", 0.861, 32_561, split="train"),
    ]
    cells = (("at most 50K", "at most 50K", 11_567, 0.93), ("at most 50K", "above 50K", 868, 0.07),
             ("above 50K", "at most 50K", 1_518, 0.395), ("above 50K", "above 50K", 2_328, 0.605))  # fmt: skip
    roc = [(index / 400, (index / 400) ** 0.17) for index in range(401)]
    bins = [(centre / 20, min(1.0, max(0.0, (centre / 20) ** 1.08))) for centre in range(1, 20, 2)]
    charts = {
        "confusion_matrix": heat_map(
            [{"y": actual, "x": decided, "value": n, "share": share} for actual, decided, n, share in cells],
            title="Decisions and what came true", x_title="Decision", y_title="Actual", note="Test rows",
        ),
        "roc": lines([{"x": x, "y": y} for x, y in roc], title="ROC curve", x_title="False positive rate",
                     y_title="True positive rate", diagonal=True, note="Area 0.906 (0.901 to 0.911)"),
        "calibration": lines(
            [{"x": x, "y": y, "low": max(0.0, y - 0.03), "high": min(1.0, y + 0.03)} for x, y in bins],
            title="Calibration", x_title="Mean score", y_title="Share that came true", diagonal=True, points=True,
        ),
        "scores": histogram(
            [{"low": b / 20, "high": (b + 1) / 20, "value": round(5200 * math.exp(-b / 4) + 130)} for b in range(20)],
            title="Scores", x_title="Score", reference=("threshold", 0.5),
        ),
    }  # fmt: skip
    summary = "The decisions agree with the outcome in 85 of 100 cases. The scores can be read as probabilities: " \
              "where they say 30 %, about 30 % came true."  # fmt: skip
    return Section("evaluation", "How well it does", summary, numbers, charts)


def fairness() -> Section:
    """How groups compare."""
    rng = random.Random(3)
    orders = [combo for size in (1, 2, 3) for combo in itertools.combinations(COLUMNS, size)]
    numbers = gap_numbers() + [number for combo in orders for number in group_numbers(combo, rng)]
    charts: dict[str, Any] = {}
    for column in COLUMNS:
        groups = [n for n in numbers if tuple(n.group) == (column,)]
        charts[f"selection_rate_by_{column}"] = interval_bars(
            [chart_row(n, column) for n in groups if n.definition == "selection_rate@1"],
            title=f"Selection rate by {column}", x_title="Selection rate", reference=("all rows", 0.217),
        )  # fmt: skip
    charts["errors_by_sex"] = grouped_interval_bars(
        [
            chart_row(n, "sex") | {"group": n.definition.partition("@")[0].replace("_", " ")}
            for n in numbers
            if tuple(n.group) == ("sex",) and n.definition in ("true_positive_rate@1", "false_positive_rate@1")
        ],
        title="Error rates by sex", x_title="Rate",
    )  # fmt: skip
    summary = "Men are selected almost three times as often as women. The gap is widest among 25 to 45 year olds and " \
              "grows where sex and age are taken together."  # fmt: skip
    notes = ["Groups under 5 rows are left out of the gaps.", "Intervals: Wilson for rates, Newcombe for differences."]
    return Section("fairness_audit", "How groups compare", summary, numbers, charts, notes=notes)


def chart_row(number: Number, column: str) -> dict[str, Any]:
    """A number as the chart helpers take it."""
    return {"label": number.group[column], "value": number.value, "low": number.low, "high": number.high,
            "n": number.n, "small": number.small, "reason": number.reason}  # fmt: skip


def explanations() -> Section:
    """What drives the scores."""
    features = ["marital_status", "education_num", "age", "hours_per_week", "capital_gain", "occupation",
                "relationship", "workclass", "capital_loss", "native_country"]  # fmt: skip
    numbers, rows = [], []
    for index, feature in enumerate(features):
        importance, association = 0.92 * 0.72**index, abs(math.cos(index * 2.1)) * 0.5
        numbers.append(Number("mean_absolute_shap_value@1", importance, n=ROWS, split="test", unit="log-odds",
                              coordinates={"feature": feature}))  # fmt: skip
        for column, factor in (("sex", 1.0), ("race", 0.3), ("age_band", 0.6)):
            numbers.append(Number("sensitive_association@1", association * factor, n=ROWS, split="test",
                                  coordinates={"feature": feature, "sensitive": column}))  # fmt: skip
        rows.append({"label": feature, "value": importance, "second": association})
    charts = {
        "importance": horizontal_bars(rows, title="What moves the score", x_title="Mean absolute SHAP value (log-odds)",
                                      second_title="Association with sex"),
    }  # fmt: skip
    summary = "Marital status weighs most, and it is associated with sex: part of the gap may pass through it."
    return Section("explanations", "What drives the scores", summary, numbers, charts,
                   notes=["SHAP values are exact for this model; a background of 200 training rows."])  # fmt: skip


def judged(numbers: list[Number]) -> tuple[Judged, ...]:
    """Six requirements with their verdicts."""

    def find(definition: str, **place: Any) -> Number:
        return next(
            number
            for number in numbers
            if number.definition == f"{definition}@1" and all(getattr(number, k) == v for k, v in place.items())
        ).addressed("lending", RESULTS_COMMIT, "fairness_audit")

    by_sex: dict[str, Any] = {"coordinates": {"sensitive": "sex"}}
    entries = [
        (Requirement(id="R1", text="The score separates those who earn above 50K from the others",
                     definition="roc_auc@1", at_least=0.85), "pass", find("roc_auc"),
         "The area under the ROC curve is 0.906 and with its whole interval at least 0.85."),
        (Requirement(id="R2", text="Women and men are selected at similar rates", sensitive=["sex"],
                     definition="demographic_parity_difference@1", at_most=0.1), "fail",
         find("demographic_parity_difference", **by_sex),
         "The selection rates of women and men lie 0.19 apart; even the lower end of the interval is above 0.1."),
        (Requirement(id="R3", text="Error rates do not depend on race", sensitive=["race"],
                     definition="equalized_odds_difference@1", at_most=0.07), "cannot tell",
         find("equalized_odds_difference", coordinates={"sensitive": "race"}),
         "0.07 lies within the interval 0.052 to 0.081: these rows do not settle it."),
        (Requirement(id="R4", text="No group of sex and age is selected at under four fifths of the highest rate",
                     sensitive=["sex", "age_band"], definition="four_fifths@1", at_least=0.8, blocking=False), "fail",
         find("four_fifths", coordinates={"sensitive": "sex,age_band"}),
         "The lowest rate is 0.67 of the highest."),
        (Requirement(id="R5", text="Scores can be read as probabilities",
                     definition="expected_calibration_error@1", at_most=0.03), "pass",
         find("expected_calibration_error"), "The calibration error is 0.0083 with an interval up to 0.0129."),
        (Requirement(id="R6", text="At least 60 % of qualified applicants aged 65 or more are found",
                     group={"age_band": "[65, inf)"}, definition="true_positive_rate@1", at_least=0.6),
         "cannot tell", find("true_positive_rate", group={"age_band": "[65, inf)"}),
         "The interval reaches above and below 0.6: these rows do not settle it."),
    ]  # fmt: skip
    return tuple(
        Judged(requirement, Verdict(requirement.id, verdict, number, sentence))
        for requirement, verdict, number, sentence in entries
    )


def sample_audit(**more: Any) -> Audit:
    """The audit, with some of its fields replaced."""
    sections = (performance(), fairness(), explanations())
    columns = [
        Column("age", ("feature",), "integer", 0, 74, "Age in years"),
        Column("workclass", ("feature",), "category", 2_799, 8, "Kind of employer"),
        Column("education_num", ("feature",), "integer", 0, 16, "Years of education"),
        Column("marital_status", ("feature",), "category", 0, 7),
        Column("sex", ("feature", "sensitive"), "category", 0, 2),
        Column("race", ("sensitive",), "category", 0, 5, "As recorded by the census"),
        Column("age_band", ("sensitive",), "number", 0, 4, "Age cut at 25, 45 and 65"),
        Column("hours_per_week", ("feature",), "integer", 0, 96),
        Column("income", ("target",), "category", 0, 2, "Above 50,000 dollars a year"),
    ]
    values: dict[str, Any] = {
        "use_case": "lending",
        "title": "Pre-screening of credit applications",
        "purpose": "Suggests which applicants are offered a loan without a further check. An applicant who is not "
                   "selected is looked at by a person.\n\nUsed by the retail branches since 2024.",
        "owners": ("risk@example.org", "team:credit-models"),
        "provenance": Provenance("lending", "main", DATA_COMMIT, MODEL, 7),
        "results_commit": RESULTS_COMMIT,
        "data": Data(48_842, {"train": 32_561, "test": ROWS}, "test", tuple(columns),
                     {"adult.data": 32_561, "adult.test": 16_281}),
        "model": Model(MODEL, "histogram gradient boosting", "binary", 0.5, {"max_iter": 200, "learning_rate": 0.1},
                       "The exported file agrees with the fitted model on all 32,561 training rows: the largest "
                       "difference of a probability is 2.4e-07 and no decision differs.",
                       {"scikit-learn": "1.9.1", "onnx": "1.21.0"}),
        "judged": judged([number for section in sections for number in section.numbers]),
        "sections": sections,
        "notes": ("Outcomes are known for accepted and rejected applicants alike.",),
    }  # fmt: skip
    return Audit(**(values | more))
