"""What this installation is made of, and what it lacks."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

import yaml

from rai_assets import __version__
from rai_assets.errors import RaiError
from rai_assets.home import definitions_folder, home, shipped
from rai_assets.store.open import describe_store
from rai_assets.use_case.declaration import load_all

_PACKAGES = (
    "dagster",
    "pyarrow",
    "scikit-learn",
    "onnx",
    "onnxruntime",
    "shap",
    "fairlearn",
    "dulwich",
    "lakefs-client",
)
_EXTRAS = {
    "openpyxl": ("reading Excel files", "excel"),
    "pillow": ("dimensions of images", "media"),
    "soundfile": ("durations of recordings", "media"),
    "av": ("dimensions and durations of videos", "media"),
    "lightgbm": ("LightGBM models", "boosting"),
    "xgboost-cpu": ("XGBoost models", "boosting"),
    "alibi": ("anchors and other alibi explainers", "alibi"),
    "dagster-postgres": ("Dagster's records in PostgreSQL", "postgres"),
}
_LOW_BYTES = 1 << 30


def examine() -> tuple[list[str], bool]:
    """The findings as lines, and whether everything that is needed is there."""
    problems = []
    lines = [f"rai_assets {__version__} on Python {sys.version.split()[0]}"]
    for package in _PACKAGES:
        try:
            lines.append(f"  {package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            problems.append(f"{package} is missing: install rai_assets again, e.g. `pip install rai_assets`")
    for package, (purpose, extra) in _EXTRAS.items():
        if not _installed(package):
            note = "; README, 'Licences of the parts', has a tested set" if extra == "alibi" else ""
            lines.append(f"  {package} is not installed ({purpose}): pip install 'rai_assets[{extra}]'{note}")

    state = home()
    nearest = next(folder for folder in (state, *state.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    lines += [f"State (RAI_HOME): {state}", f"  free disk: {free / (1 << 30):.1f} GiB"]
    if not os.access(nearest, os.W_OK):
        problems.append(f"{nearest} is not writable: set RAI_HOME to a folder that is")
    if free < _LOW_BYTES:
        problems.append(f"less than 1 GiB is free at {nearest}: free some, or set RAI_HOME to another disk")

    try:
        lines.append(f"Store (RAI_STORE): {describe_store(state)}")
    except RaiError as error:
        problems.append(str(error))
    try:
        lines.append(f"Dagster's records: {_records(state / 'dagster')}")
    except RaiError as error:
        problems.append(str(error))

    declared, broken = load_all()
    lines.append(f"Use cases (RAI_DEFS): {definitions_folder()}")
    lines += [f"  {item.use_case.name}" for item in declared]
    problems += [str(item.error) for item in broken]
    lines += [f"Problem: {problem}" for problem in problems] or ["Nothing is missing."]
    return lines, not problems


def _records(dagster_home: Path) -> str:
    """Where Dagster keeps its records, as its settings say; asks no server.

    Raises:
        RaiError: The settings cannot be read.
    """
    settings = dagster_home / "dagster.yaml"
    try:
        text = (settings if settings.exists() else shipped(settings.name)).read_text(encoding="utf-8")
        (kind,) = (yaml.safe_load(text) or {}).get("storage") or {"sqlite": None}
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise RaiError(
            "Dagster's settings cannot be read",
            where=str(settings),
            fix="correct the file, or remove it: the next `rai run` writes the default one",
        ) from error
    if kind == "sqlite":
        return f"SQLite, in {dagster_home}, for one host (several share PostgreSQL)"
    if kind == "postgres" and not _installed("dagster-postgres"):
        raise RaiError(
            "Dagster's records are in PostgreSQL, and dagster-postgres is missing",
            where=str(settings),
            fix="pip install 'rai_assets[postgres]'",
        )
    return f"{'PostgreSQL' if kind == 'postgres' else kind}, as {settings} says"


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
