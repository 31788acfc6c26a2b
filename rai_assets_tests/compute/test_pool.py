"""Every pool gives the same answers in the same order, and a bounded number of chunks is under way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from rai_assets.compute.pool import VARIABLE, Serial, open_pool
from rai_assets.errors import RaiError, UsageError


def scaled(values: np.ndarray, by: float) -> float:
    return float((values * by).sum())


def refusing(value: int) -> int:
    if value == 3:
        raise UsageError("three is refused", fix="use another")
    return value


def process(_: int) -> int:
    return os.getpid()


def dying(_: int) -> None:
    os._exit(9)


CHUNKS = [np.random.default_rng(at).normal(size=1000) for at in range(9)]


@pytest.fixture(params=["processes:2", "dask"])
def wanted(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param != "dask":
        yield request.param
        return
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield f"dask:{cluster.scheduler_address}"


def test_answers_come_in_the_order_of_the_chunks_from_processes_beside(wanted: str) -> None:
    with open_pool(wanted) as pool:
        assert list(pool.map(partial(scaled, by=1 / 3), CHUNKS)) == list(
            Serial().map(partial(scaled, by=1 / 3), CHUNKS)
        )
        assert os.getpid() not in set(pool.map(process, range(4)))
        assert list(pool.map(process, [])) == []
        with pytest.raises(UsageError, match="three is refused"):
            list(pool.map(refusing, range(9)))
        taken = []
        answers = pool.map(refusing, (taken.append(at) or 5 for at in range(1000)))
        assert next(answers) == 5
        assert len(taken) <= 8, "chunks wait to be read until workers are free"


def test_a_worker_that_dies_is_a_refusal_in_words() -> None:
    with open_pool("processes:1") as pool, pytest.raises(RaiError, match="a worker ended in the midst of its work"):
        list(pool.map(dying, range(3)))


def test_the_variable_names_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with open_pool("") as pool:
        assert isinstance(pool, Serial)
    monkeypatch.setenv(VARIABLE, "processes:1")
    with open_pool("") as pool:
        assert list(pool.map(abs, [-1])) == [1]


@pytest.mark.parametrize("wanted", ["threads", "processes:0", "processes:two", "dask", "serial:4"])
def test_another_word_is_refused_with_those_that_there_are(wanted: str) -> None:
    with pytest.raises(UsageError, match="is no way to compute") as caught, open_pool(wanted):
        pass
    assert "processes:4" in (caught.value.fix or "")


def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(RaiError, match=r"Dask is not installed|no Dask scheduler answers"):  # noqa: SIM117
        with open_pool("dask:tcp://127.0.0.1:9"):
            pass
