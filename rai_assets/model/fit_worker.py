"""The process that fits and exports: `python -m rai_assets.model.fit_worker FOLDER`.

Reads `request.json`, `matrix.npy`, `target.npy`, `weight.npy` and `probe<i>.npy` from the folder; writes `core.onnx`,
`native<i>.npy` and `outcome.json`; prints `FITTED` between fit and export. Nothing is pickled: the fitted estimator
lives and ends here.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from rai_assets.errors import DeclarationError, RaiError
from rai_assets.model.export import FITTED
from rai_assets.model.fitting import Recipe, fit_core


def main(folder: Path) -> None:
    """Do what `request.json` asks, and leave `outcome.json` whatever happens."""
    request = json.loads((folder / "request.json").read_text("utf-8"))
    try:
        outcome = _fit(folder, request)
    except RaiError as error:
        kind = "declaration" if isinstance(error, DeclarationError) else "refused"
        outcome = {"error": kind, "what": error.what, "where": error.where, "fix": error.fix}
    (folder / "outcome.json").write_text(json.dumps(outcome), "utf-8")


def _fit(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    def load(name: str) -> Any:
        return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    core = fit_core(
        Recipe(**request["recipe"]),
        load("matrix"),
        load("target"),
        load("weight") if request["weighted"] else None,
        tuple(load(f"probe{index}") for index in range(request["probes"])),
        on_fitted=lambda: print(FITTED.decode(), flush=True),  # noqa: T201
    )
    (folder / "core.onnx").write_bytes(core.onnx)
    for index, values in enumerate(core.native):
        np.save(folder / f"native{index}.npy", values)
    return {"target_scale": core.target_scale, "notes": core.notes}


def _end_with_the_caller() -> None:
    """Leave when the process that asks is gone: it holds the other end of our standard input."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    main(Path(sys.argv[1]))
