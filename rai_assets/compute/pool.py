"""Pools of workers that map a pure function over chunks of rows, with the same numbers on each of them.

How the rows are cut does not depend on the pool, and answers come back in the order of the chunks; what merges them
sees the same parts in the same order everywhere.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

from rai_assets.errors import RaiError, UsageError

VARIABLE = "RAI_COMPUTE"
_AHEAD = 2  # chunks a worker has waiting, so that memory does not grow with the rows
Chunk = TypeVar("Chunk")
Answer = TypeVar("Answer")


class Pool(Protocol):
    """Something that maps."""

    def map(self, function: Callable[[Chunk], Answer], chunks: Iterable[Chunk]) -> Iterator[Answer]:
        """The answers in the order of the chunks, which are read as workers become free.

        Args:
            function: Pure; a function of a module, or a `functools.partial` of one.
            chunks: What it is called with, one at a time.
        """
        ...


class Serial:
    """This process alone."""

    def map(self, function: Callable[[Chunk], Answer], chunks: Iterable[Chunk]) -> Iterator[Answer]:
        """The answers, each made when it is asked for."""
        return map(function, chunks)


class _Submitting:
    """Workers that take one chunk at a time."""

    def __init__(self, submit: Callable[..., Any], workers: int, lost: tuple[type[Exception], ...]) -> None:
        self._submit, self._most, self._lost = submit, workers * _AHEAD, lost

    def map(self, function: Callable[[Chunk], Answer], chunks: Iterable[Chunk]) -> Iterator[Answer]:
        """The answers in order, at most `_AHEAD` chunks a worker under way."""
        waiting: deque[Future[Answer]] = deque()
        try:
            for chunk in chunks:
                waiting.append(self._submit(function, chunk))
                if len(waiting) >= self._most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except self._lost as fault:
            raise RaiError(
                "a worker ended in the midst of its work",
                where=VARIABLE,
                fix="most often it ran out of memory: use fewer workers, or larger ones",
            ) from fault


def open_pool(wanted: str) -> AbstractContextManager[Pool]:
    """A pool while the context lasts.

    Args:
        wanted: `serial`; `processes`, as many as there are processors, or `processes:N`; `dask:ADDRESS` of a
            scheduler. Empty: what the variable `RAI_COMPUTE` says, `serial` if it says nothing.

    Raises:
        UsageError: It is none of these.
        RaiError: There is no such cluster, or Dask is not installed.
    """
    wanted = wanted or os.environ.get(VARIABLE, "") or "serial"
    kind, _, detail = wanted.partition(":")
    if kind == "serial" and not detail:
        return _serial()
    if kind == "processes" and (not detail or (detail.isdecimal() and int(detail))):
        return _processes(int(detail) if detail else _processors())
    if kind == "dask" and detail:
        return _dask(detail)
    raise UsageError(
        f"{wanted!r} is no way to compute",
        where=VARIABLE,
        fix="use `serial`, `processes`, `processes:4` or `dask:tcp://host:8786`",
    )


@contextmanager
def _serial() -> Iterator[Pool]:
    yield Serial()


@contextmanager
def _processes(workers: int) -> Iterator[Pool]:
    # Forked children of a process with threads can hang.
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        yield _Submitting(executor.submit, workers, (BrokenProcessPool,))
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _dask(address: str) -> Iterator[Pool]:
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError as fault:
        raise RaiError(
            "Dask is not installed here", where=VARIABLE, fix='install it with `pip install "rai_assets[dask]"`'
        ) from fault
    try:
        client = Client(address, timeout="5s", set_as_default=False)
    except (OSError, ValueError) as fault:
        raise RaiError(
            f"no Dask scheduler answers at {address}", where=VARIABLE, fix="start one, or name another address"
        ) from fault
    with client:
        workers = max(len(client.scheduler_info()["workers"]), 1)

        def submit(function: Callable[..., Any], chunk: Any) -> Any:
            # Pure, so that a worker that dies costs its chunks again and nothing else; but two equal chunks are two.
            return client.submit(function, chunk, pure=False)

        yield _Submitting(submit, workers, (KilledWorker, CommClosedError))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
