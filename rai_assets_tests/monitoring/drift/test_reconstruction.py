"""Reconstruction errors against scikit-learn's principal components, put together as NannyML describes them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from rai_assets.errors import Undefined
from rai_assets.model.encoding import Feature
from rai_assets.monitoring.drift.reconstruction import Halves, Reconstruction

FEATURES = [Feature("a", "number"), Feature("b", "number"), Feature("c", "category"), Feature("d", "number")]


def rows(n: int, seed: int) -> pa.Table:
    """Two numbers that go together, one that does not and a category."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    c = rng.choice(["x", "y", "z"], n, p=[0.6, 0.3, 0.1])
    return pa.table({"a": a, "b": 2 * a + rng.normal(0, 0.3, n), "c": c, "d": rng.normal(5, 2, n)})


def test_the_errors_are_those_of_scikit_learns_components() -> None:
    reference, batch = rows(500, 0), rows(200, 1)
    shares = {word: float((reference["c"].to_numpy() == word).mean()) for word in "xyz"}

    def coded(table: pa.Table) -> np.ndarray:
        words = [shares[word] for word in table["c"].to_pylist()]
        return np.column_stack([table["a"], table["b"], table["d"], words])

    scaler = StandardScaler().fit(coded(reference))
    components = PCA(n_components=0.65, svd_solver="full").fit(scaler.transform(coded(reference)))
    standard = scaler.transform(coded(batch))
    wanted = np.linalg.norm(standard - components.inverse_transform(components.transform(standard)), axis=1)
    found = Reconstruction.fit(reference, FEATURES)
    assert len(found.components) == components.n_components_
    assert found.errors(batch) == pytest.approx(wanted, abs=1e-9)


def test_a_missing_number_is_the_mean_and_an_unseen_category_has_no_share() -> None:
    found = Reconstruction.fit(rows(500, 0), FEATURES)
    odd = pa.table({"a": [None, 0.0], "b": [0.0, 0.0], "c": ["never", None], "d": [5.0, 5.0]}).cast(
        pa.schema([("a", pa.float64()), ("b", pa.float64()), ("c", pa.string()), ("d", pa.float64())])
    )
    coded = found.columns(odd)
    assert coded[0, 0] == pytest.approx(np.mean(rows(500, 0)["a"].to_numpy()))
    assert coded[:, 3].tolist() == [0.0, 0.0]


def test_a_single_column_leaves_nothing_to_reconstruct() -> None:
    with pytest.raises(Undefined, match="hold all there is"):
        Reconstruction.fit(rows(100, 0), FEATURES[:1])


def test_constant_columns_add_nothing() -> None:
    table = wider = rows(300, 3)
    names = ["same", "as", "ever"]
    for name in names:
        same = np.full(300, 0.1)
        assert same.std() > 0, "but for rounding"
        wider = wider.append_column(name, pa.array(same))
    with_them = Reconstruction.fit(wider, [*FEATURES, *(Feature(name, "number") for name in names)])
    assert with_them.errors(wider) == pytest.approx(Reconstruction.fit(table, FEATURES).errors(table), abs=1e-9)


@pytest.mark.parametrize(("columns", "kept"), [(11, 8), (15, 10)])
def test_the_fewest_components_that_explain_more_than_65_percent_are_kept(columns: int, kept: int) -> None:
    """Cosines of whole periods are uncorrelated, so that every component explains as much: 7/11 and 9/15 are less."""
    at = np.arange(64)[:, None] * np.arange(1, columns + 1) * 2 * np.pi / 64
    names = [str(number) for number in range(columns)]
    table = pa.table(dict(zip(names, np.cos(at).T, strict=True)))
    found = Reconstruction.fit(table, [Feature(name, "number") for name in names])
    assert found.components.shape == (kept, columns)
    # Of a row's squared distance from the mean, the error has the share that is not explained, over all rows.
    assert (found.errors(table) ** 2).sum() == pytest.approx(64 * (columns - kept))


def test_a_column_without_any_value_adds_nothing_and_one_of_yes_and_no_enters() -> None:
    table = rows(300, 3)
    wider = table.append_column("lost", pa.nulls(300, pa.float64())).append_column("yes", pc.greater(table["d"], 5.0))
    lost = Reconstruction.fit(wider, [*FEATURES, Feature("lost", "number")])
    assert lost.errors(wider) == pytest.approx(Reconstruction.fit(table, FEATURES).errors(table), abs=1e-9)
    found = Reconstruction.fit(wider, [*FEATURES, Feature("yes", "boolean")])
    assert found.numbers == ("a", "b", "d", "yes")
    assert found.columns(wider)[:, 3].tolist() == (table["d"].to_numpy() > 5).tolist()


def test_rows_in_an_order_are_judged_by_components_of_others() -> None:
    """Of many columns, components fitted on the very rows that they judge find these too near."""
    rng = np.random.default_rng(29)
    mixed = rng.normal(size=(100, 100)) * np.exp(-np.arange(100) / 25)[:, None]
    features = [Feature(str(at), "number") for at in range(100)]

    def drawn(n: int) -> pa.Table:
        return pa.table({str(at): column for at, column in enumerate((rng.normal(size=(n, 100)) @ mixed).T)})

    reference, others = drawn(400), drawn(4_000)
    halves, alone = Halves.of(reference, features, 20), Reconstruction.fit(reference, features)
    error = halves.errors.std() / 400**0.5
    assert abs(halves.errors.mean() - halves.errors_of(others).mean()) < 2 * error
    assert alone.errors(others).mean() - alone.errors(reference).mean() > 6 * error
