"""What the scripts here share: a case in a process of its own, what it took by the operating system, and the line.

A script's cases are functions of its own, called as `alone(case, ...)`; inside one, `measure(work)` takes the part
that counts, without imports and preparation. Numbers come from the kernel's accounts: processor seconds are user plus
system of all threads, memory is the high-water mark of the resident set.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "ARROW_IO_THREADS"),
)


@dataclass(frozen=True)
class Taken:
    """What some work took.

    Attributes:
        cpu: Processor seconds, user and system, of the process and of its ended children.
        wall: Seconds by the clock.
        peak_mib: Highest resident memory of the process while it worked, MiB.
        beyond_mib: How far that is above where the memory stood before, MiB.
        value: What the work returned.
    """

    cpu: float
    wall: float
    peak_mib: float
    beyond_mib: float
    value: Any


def measure(work: Callable[[], Any], repeats: int = 1) -> Taken:
    """Do the work here, `repeats` times: times of the run with the least processor time, memory of the first."""
    runs = [_once(work) for _ in range(repeats)]
    best = min(runs, key=lambda run: run.cpu)
    return Taken(best.cpu, best.wall, runs[0].peak_mib, runs[0].beyond_mib, runs[0].value)


def alone(case: Callable[..., Any], *arguments: Any, threads: int = 1) -> Taken:
    """Call a function of a script in a new process: the whole process's account, from the interpreter's start on.

    Args:
        case: A function at a script's top level; what it returns must be picklable.
        arguments: Its arguments.
        threads: What every library's pool of threads is capped at.

    Raises:
        RuntimeError: The process ended without an answer.
    """
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    began = time.perf_counter()
    process = context.Process(target=_answer, args=(there, case, arguments))
    process.start()
    there.close()
    try:
        cpu, peak, value = here.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{case.__name__}{arguments} ended with code {process.exitcode}") from None
    process.join()
    return Taken(cpu, time.perf_counter() - began, peak, peak, value)


def line(
    name: str,
    *,
    ours: float,
    peer: float,
    unit: str,
    goal: float,
    peer_is: str,
    holds: bool = True,
    **more: Any,
) -> None:
    """Print one case.

    Args:
        name: What was done, on how much.
        ours: What we took.
        peer: What the other took for the same.
        unit: Of both.
        goal: What `peer / ours` should reach.
        peer_is: The other's name, its settings, and what was scaled.
        holds: Any further condition of the goal.
        more: Whatever else the reader needs, as JSON.
    """
    ratio = peer / ours
    facts = {"name": name, "ours": _short(ours), "peer": _short(peer), "unit": unit, "ratio": _short(ratio)}
    facts |= {"goal": goal, "met": bool(ratio >= goal and holds), "peer_is": peer_is}
    print(json.dumps(facts | {key: _short(value) for key, value in more.items()}), flush=True)


def _once(work: Callable[[], Any]) -> Taken:
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    before, cpu, began = _status("VmRSS"), _cpu(), time.perf_counter()
    value = work()
    return Taken(_cpu() - cpu, time.perf_counter() - began, _status("VmHWM"), _status("VmHWM") - before, value)


def _answer(pipe: Connection, case: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    value = case(*arguments)
    pipe.send((_cpu(), _status("VmHWM"), value))


def _cpu() -> float:
    accounts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(account.ru_utime + account.ru_stime for account in accounts)


def _status(name: str) -> float:
    """A line of the process's status, MiB; `ru_maxrss` would start at what the parent had."""
    found = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(name))
    return int(found.split()[1]) / 1024


def _short(value: Any) -> Any:
    """Four digits are plenty."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
