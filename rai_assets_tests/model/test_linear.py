"""The closed form: the same scores from columns as from the matrix, for any values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rai_assets.model.encoding import Encoding
from rai_assets.model.linear import LinearCore, linear_core, linear_of
from rai_assets_tests.model import supplied_models as supplied
from rai_assets_tests.model.people import FEATURES, population


@pytest.mark.parametrize(("link", "outputs"), [("logistic", 1), ("softmax", 3), ("identity", 1)])
def test_columns_and_matrix_agree(link: str, outputs: int) -> None:
    encoding = Encoding.fit(population(), FEATURES, "scaled")
    random = np.random.default_rng(0)
    linear = LinearCore(random.normal(size=(encoding.width, outputs)), random.normal(size=outputs), link)
    known = population(300, seed=3).select([item.name for item in FEATURES]).slice(7)
    strange = [{"age": 5, "income": None, "job": "spy", "insured": None, "region": ""}]
    table = pa.concat_tables([known, pa.Table.from_pylist(strange, known.schema)])
    scores = linear.table_scores(encoding, table)
    np.testing.assert_allclose(scores, linear.scores(encoding.matrix(table)), rtol=1e-12)
    raw = encoding.matrix(table).astype(float) @ linear.coefficients + linear.intercept
    by_hand = {
        "logistic": lambda: np.hstack([1 - 1 / (1 + np.exp(-raw)), 1 / (1 + np.exp(-raw))]),
        "softmax": lambda: np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True),
        "identity": lambda: raw,
    }[link]()
    np.testing.assert_allclose(scores, by_hand, rtol=1e-9)


def test_extreme_log_odds_are_zero_and_one() -> None:
    linear = LinearCore(np.array([[1.0]]), np.zeros(1), "logistic")
    np.testing.assert_array_equal(linear.scores(np.array([[-1e6], [1e6]], np.float32)), [[1, 0], [0, 1]])


def test_other_cores_have_no_closed_form() -> None:
    assert linear_of(supplied.logistic(), 2) is None
    with pytest.raises(ValueError, match="a linear core has one product, this one has 0"):
        linear_core(supplied.logistic(), 2)
