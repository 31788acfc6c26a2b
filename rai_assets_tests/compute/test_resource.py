"""The pool of a run: opened when it is asked for, one for the whole run, ended with it."""

from __future__ import annotations

import dagster as dg
import pytest

from rai_assets.compute.resource import ComputePool
from rai_assets.errors import UsageError


def test_a_run_has_one_pool_whose_workers_end_with_it() -> None:
    with dg.build_resources({"compute_pool": ComputePool(workers="processes:1")}) as resources:
        pool = resources.compute_pool.pool()
        assert resources.compute_pool.pool() is pool
        assert list(pool.map(abs, [-1, 2])) == [1, 2]
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(pool.map(abs, [-1]))


def test_a_wrong_word_stops_only_what_asks_for_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAI_COMPUTE", "threads")
    with dg.build_resources({"compute_pool": ComputePool()}) as resources, pytest.raises(UsageError, match="threads"):
        resources.compute_pool.pool()
