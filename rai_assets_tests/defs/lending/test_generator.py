"""The demo's data: what is planted is there, and nothing else is."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.stats import chi2_contingency

from rai_assets.defs.lending import generator

MANY = 150_000


@pytest.fixture(scope="module")
def twin() -> pa.Table:
    return generator.generate(MANY, seed=3, faults=False)


@pytest.fixture(scope="module")
def planted() -> pa.Table:
    return generator.generate(MANY, seed=3)


def where(table: pa.Table, **values: str) -> pa.Table:
    for column, value in values.items():
        table = table.filter(pc.equal(table[column], value))
    return table


def base_rate(table: pa.Table) -> float:
    return pc.mean(pc.equal(table["creditworthy"], "yes").cast("float64")).as_py()


def within_bands(table: pa.Table, one: dict[str, str], other: dict[str, str]) -> float:
    """Mean over the merit bands of the gap in base rate between two groups."""
    bands = [where(table, merit_band=band) for band in generator.MERIT_BANDS]
    return float(np.mean([base_rate(where(band, **one)) - base_rate(where(band, **other)) for band in bands]))


def test_the_same_arguments_give_the_same_table_and_another_seed_does_not():
    first = generator.generate(500, seed=1)
    assert generator.generate(500, seed=1) == first
    assert generator.generate(500, seed=2) != first


def test_rows_are_ordered_by_date_and_every_split_has_its_share(twin):
    dates = twin["applied_on"].to_numpy()
    assert (np.diff(dates) >= np.timedelta64(0, "D")).all()
    shares = np.diff(np.searchsorted(dates, np.array(["2023-07-01", "2024-01-01"], "datetime64[D]")), prepend=0)
    assert shares / MANY == pytest.approx([546 / 1096, 184 / 1096], abs=0.005)
    assert len(set(twin["application_id"].to_pylist())) == MANY


@pytest.mark.parametrize("column", ["sex", "age_group", "origin"])
def test_without_faults_the_judgement_depends_on_no_sensitive_column_within_a_merit_band(twin, column):
    p_values = []
    for band in generator.MERIT_BANDS:
        rows = where(twin, merit_band=band)
        counts = rows.group_by([column, "creditworthy"]).aggregate([("creditworthy", "count")])
        table = counts.to_pandas().pivot(index=column, columns="creditworthy", values="creditworthy_count")
        p_values.append(chi2_contingency(table.to_numpy()).pvalue)
    assert min(p_values) > 0.001


def test_young_applicants_have_a_plain_gap_that_merit_explains(twin):
    young, others = {"age_group": "18-29"}, {"age_group": "30-59"}
    assert base_rate(where(twin, **young)) < base_rate(where(twin, **others)) - 0.08
    assert within_bands(twin, young, others) == pytest.approx(0.0, abs=0.015)


def test_the_twin_has_the_same_applicants(twin, planted):
    drawn = [name for name in twin.column_names if name not in ("own_accounts", "creditworthy")]
    assert planted.select(drawn) == twin.select(drawn)
    changed = pc.not_equal(planted["own_accounts"], twin["own_accounts"])
    hit = planted.filter(changed)
    assert set(hit["sex"].to_pylist()) == {"F"}
    assert set(hit["age_group"].to_pylist()) == {"60+"}


def test_label_bias_alone_shifts_women_within_every_band():
    table = generator.generate(MANY, seed=4, faults=["label_bias"])
    assert within_bands(table, {"sex": "F"}, {"sex": "M"}) == pytest.approx(-0.15, abs=0.03)
    assert within_bands(table, {"origin": "B"}, {"origin": "A"}) == pytest.approx(0.0, abs=0.015)


def test_proxy_alone_works_through_the_postcode_area():
    table = generator.generate(MANY, seed=4, faults=["proxy"])
    assert within_bands(table, {"origin": "B"}, {"origin": "A"}) < -0.08
    for area in generator.AREAS:
        assert within_bands(where(table, postcode_area=area), {"origin": "B"}, {"origin": "A"}) == pytest.approx(
            0.0, abs=0.05
        )
    assert within_bands(table, {"sex": "F"}, {"sex": "M"}) == pytest.approx(0.0, abs=0.015)


def test_intersection_alone_is_recorded_wrongly_and_judged_rightly():
    table = generator.generate(MANY, seed=4, faults=["intersection"])
    mean = {
        (sex, age): pc.mean(where(table, sex=sex, age_group=age)["own_accounts"]).as_py()
        for sex in generator.SEX
        for age in generator.AGE_GROUPS
    }
    assert mean["F", "60+"] < 0.5 * mean["M", "60+"]
    assert mean["F", "30-59"] == pytest.approx(mean["M", "30-59"], abs=0.1)
    assert within_bands(table, {"sex": "F", "age_group": "60+"}, {"sex": "M", "age_group": "60+"}) == pytest.approx(
        0.0, abs=0.02
    )


def test_miscalibration_alone_begins_with_2024():
    table = generator.generate(MANY, seed=4, faults=["miscalibration"])
    late = pc.greater_equal(table["applied_on"], date(2024, 1, 1))
    for rows, gap in ((table.filter(late), -0.19), (table.filter(pc.invert(late)), 0.0)):
        assert within_bands(rows, {"origin": "C"}, {"origin": "A"}) == pytest.approx(gap, abs=0.03)


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="no such fault: bias; there are label_bias"):
        generator.generate(10, faults=["bias"])
