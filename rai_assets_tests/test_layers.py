"""The plan of the house, checked: imports only go down, and Dagster stays on its floors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rai_assets"

# From the ground up. A module may import its own floor (within one room) and those below.
FLOORS = [
    {"errors"},
    {"provenance", "progress", "home", "compiled", "compute"},
    {"keys", "metrics", "charts"},
    {"store"},
    {"data"},
    {"model"},
    {"analysis"},
    {"monitoring"},
    {"report"},
    {"use_case", "defs"},
    {
        "definitions",
        "cli",
        "cli_alerts",
        "cli_audit",
        "cli_batches",
        "cli_branches",
        "cli_data",
        "cli_dev",
        "cli_housekeeping",
        "cli_monitoring",
        "cli_words",
    },
]
ON_TOP = FLOORS[-2] | FLOORS[-1]
HEAVY = {
    "shap", "alibi", "whylogs", "fairlearn", "econml", "sklearn", "onnxruntime", "onnx", "skl2onnx", "matplotlib",
    "pandas", "scipy", "numba", "vl_convert", "lakefs_client", "dulwich", "dagster_aws", "distributed", "numpy",
    "pyarrow",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(module: str) -> int:
    room = module.split(".")[1] if "." in module else "errors"
    return next(level for level, rooms in enumerate(FLOORS) if room in rooms)


def on_the_graph_floor(path: Path) -> bool:
    return path.name in {"assets.py", "resource.py"}


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_only_go_down(path: Path) -> None:
    importer = dotted(path)
    for imported in imports(path):
        if not imported.startswith("rai_assets.") or imported == "rai_assets.__version__":
            continue
        if on_the_graph_floor(path) and imported.split(".")[1] not in ON_TOP:
            continue  # a room's assets.py stands above all rooms and below use_case
        assert floor(imported) <= floor(importer), f"{importer} imports {imported}, which is above it"


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("analysis/*/*.py")), ids=dotted)
def test_analysis_rooms_never_import_each_other(path: Path) -> None:
    own = path.parent.name
    rooms = {folder.name for folder in (PACKAGE / "analysis").iterdir() if folder.is_dir()} - {own, "__pycache__"}
    for imported in imports(path):
        assert not any(imported.startswith(f"rai_assets.analysis.{room}") for room in rooms), imported


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_only_the_graph_floor_imports_dagster(path: Path) -> None:
    module = dotted(path)
    allowed = (
        on_the_graph_floor(path)
        or (
            module.startswith("rai_assets.use_case") and path.name not in {"config.py", "declaration.py", "__init__.py"}
        )
        or module in {"rai_assets.definitions", "rai_assets.cli"}
    )
    if not allowed:
        assert not any(name.split(".")[0].startswith("dagster") for name in imports(path)), module


def test_loading_the_definitions_imports_nothing_heavy() -> None:
    # Among the package's own is one with `production`.
    code = "import sys, rai_assets.definitions as d; d.defs(); print(' '.join(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "rai_assets.monitoring.batches.rules" in loaded
    assert HEAVY.isdisjoint(loaded), sorted(HEAVY.intersection(loaded))
