"""Every batch has a profile; that of a window is made of them, for us and for whylogs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rai_assets.monitoring.profiles.profile import window_profile
from rai_assets.monitoring.profiles.whylogs_file import FILE
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets_tests.monitoring.batches.conftest import Daemon, Desk
from rai_assets_tests.use_case.conftest import loan_rows


def test_every_batch_is_profiled_and_a_window_is_made_of_the_profiles(
    daemon: Daemon, inbox: Desk, store: VersionedRepository, tmp_path: Path
) -> None:
    from whylogs.core import DatasetProfileView

    texts = [loan_rows(120, seed=9), loan_rows(80, seed=10)]
    for name, text in zip("ab", texts, strict=True):
        inbox.put(f"{name}.csv", text)
    assert daemon.tick() == {"a": True, "b": True}
    commit = store.resolve("results-production")
    stored = results.load(store, commit, "data_profile", folder="batches/a/")
    assert [number.value for number in stored.numbers if number.definition == "count@1"] == [120]
    assert {(number.branch, number.commit) for number in stored.numbers} == {("production", stored.provenance.commit)}
    (tmp_path / FILE).write_bytes(stored.files[FILE])
    assert set(DatasetProfileView.read(str(tmp_path / FILE)).to_pandas()["counts/n"]) == {120}

    window, absent = window_profile(store, commit, ["a", "b", "never"])
    assert absent == ("never",)
    assert window.whylogs is not None
    assert set(DatasetProfileView.deserialize(window.whylogs).to_pandas()["counts/n"]) == {200}
    together = pd.concat([pd.read_csv(io.StringIO(text)) for text in texts])
    by_column = {cell.column: item for cell, item in window.tally.statistics()}
    assert by_column["income"].mean == pytest.approx(together.income.mean())
    assert by_column["income"].quantiles["0.5"] == np.quantile(together.income, 0.5, method="inverted_cdf")
    assert by_column["sex"].top[0]["count"] == together.sex.value_counts().iloc[0]
