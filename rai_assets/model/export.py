"""Fit and export in a subprocess: a converter that never ends, or takes the process down, does not take us with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rai_assets.errors import DeclarationError, InputRefused, RaiError
from rai_assets.model.fitting import Core, Recipe
from rai_assets.model.tell import Tell, silent

EXPORT_SECONDS = 600.0
# What the training process prints between fit and export; a user's factory may print as well.
FITTED = b"rai_assets: fitted"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def fit_and_export(
    recipe: Recipe,
    matrix: NDArray[np.float32],
    target: NDArray,
    weight: NDArray[np.float64] | None,
    probes: tuple[NDArray[np.float32], ...],
    *,
    seconds: float = EXPORT_SECONDS,
    tell: Tell = silent,
) -> Core:
    """`fitting.fit_core` in a process of its own.

    Args:
        recipe: The estimator.
        matrix: Training rows, shape (n, m).
        target: Class codes or values, shape (n,).
        weight: Row weights or None.
        probes: Further matrices to answer on for the parity gate.
        seconds: Longest time the export may take; the fit takes as long as it takes.
        tell: Told what happens.

    Raises:
        DeclarationError: The estimator does not exist, or refuses its parameters.
        InputRefused: The estimator cannot be fitted on these rows, or has no ONNX form.
        RaiError: The export took too long, or the process ended by itself.
    """
    with tempfile.TemporaryDirectory(prefix="rai-fit-") as name:
        folder = Path(name)
        arrays = {"matrix": matrix, "target": target, **({} if weight is None else {"weight": weight})}
        arrays |= {f"probe{index}": probe for index, probe in enumerate(probes)}
        for key, values in arrays.items():
            np.save(folder / f"{key}.npy", values)
        del matrix, arrays  # not in memory twice: the other process reads the file
        request = {"recipe": asdict(recipe), "weighted": weight is not None, "probes": len(probes)}
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        _run(folder, seconds, tell)
        outcome = json.loads((folder / "outcome.json").read_text("utf-8"))
        if "error" in outcome:
            kind = DeclarationError if outcome["error"] == "declaration" else InputRefused
            raise kind(outcome["what"], where=outcome["where"], fix=outcome["fix"])
        return Core(
            onnx=(folder / "core.onnx").read_bytes(),
            native=tuple(
                np.load(folder / f"native{index}.npy", allow_pickle=False) for index in range(1 + len(probes))
            ),
            target_scale=tuple(outcome["target_scale"]) if outcome["target_scale"] else None,
            notes=tuple(outcome["notes"]),
        )


def _run(folder: Path, seconds: float, tell: Tell) -> None:
    """Run the worker; kill it when the export takes longer than `seconds`."""
    errors = folder / "stderr.txt"
    # One thread: runs beside each other do not fight for cores, and sums have one order, so one digest.
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    command = [sys.executable, "-P", "-m", "rai_assets.model.fit_worker", str(folder)]
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.PIPE, env=environment
        )
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    try:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            if line.strip() == FITTED and not timer.is_alive():
                tell("exporting the model to ONNX", 1, 3)
                timer.start()
        code = process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    if late.is_set():
        raise RaiError(
            f"the export of the model to ONNX did not end within {seconds:g} s and was stopped",
            fix="make the model smaller (fewer or shallower trees), or choose another estimator",
        )
    if code != 0:
        tail = errors.read_text("utf-8", "replace").strip().splitlines()[-1:]
        reason = tail[0] if tail else "no message; often the machine ran out of memory"
        raise RaiError(
            f"the training process ended with code {code}: {reason}",
            fix="train a smaller model, on fewer rows, or on a machine with more memory",
        )
