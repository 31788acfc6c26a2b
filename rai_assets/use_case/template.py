"""Writing declarations: from data files for `rai init`, and the example that `dg scaffold defs` starts with."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rai_assets.errors import RaiError, UsageError
from rai_assets.home import new_definitions_folder
from rai_assets.keys import USE_CASE_PATTERN
from rai_assets.progress import Progress, Report
from rai_assets.use_case.declaration import COMPONENT_TYPE

if TYPE_CHECKING:
    from rai_assets.data.column_guess import Wishes

_MODEL = """

  # Also: logistic_regression, linear_regression, decision_tree, random_forest, mlp; or a factory, or an ONNX file.
  model:
    estimator: hist_gradient_boosting"""

_REQUIREMENTS = """

  # What must hold before the model may serve. `rai metrics {name}` prints what can be required.
  # requirements:
  #   - id: R1
  #     text: {gap[0]}
  #     definition: {gap[1]}
  #     sensitive: [{sensitive}]
  #     at_most: {gap[2]}
  #   - id: R2
  #     text: {whole[0]}
  #     definition: {whole[1]}
  #     at_least: 0.8
  #     blocking: false        # reported, not part of the gate
"""
_RIGHT = ("Most decisions are right.", "accuracy")
_REQUIRED: dict[str, dict[str, tuple[str | float, ...]]] = {
    "binary": {"gap": ("Groups are selected about as often.", "demographic_parity_difference", 0.1), "whole": _RIGHT},
    "multiclass": {
        "gap": ("Decisions are right as often in every group.", "accuracy_difference", 0.1),
        "whole": _RIGHT,
    },
    "regression": {
        "gap": ("Errors are about as large in every group.", "mean_absolute_error_difference", 10),
        "whole": ("Predictions explain most of the differences.", "r2"),
    },
}  # {task: requirements to begin with}


def write_inferred(
    name: str,
    data: Sequence[Path],
    test: Sequence[Path],
    wishes: Wishes,
    *,
    columns: str | None,
    separator: str | None,
    media: Path | None = None,
    report: Report,
) -> tuple[Path, list[str]]:
    """Infer a contract from data files and write a commented `defs.yaml`.

    Args:
        name: Name of the new use case.
        data: Files to learn from, or of logged decisions.
        test: Files kept for the audit.
        wishes: What the user said about the columns.
        columns: Names for files without a header: `A,B,C`, or a file with one name a line.
        separator: What separates the fields; found if None.
        media: The folder of the files that the rows name.
        report: Shows a line of progress.

    Returns:
        The file, and what was guessed, a sentence each.

    Raises:
        UsageError: The name does not fit or is taken, or a named column or value is not in the data.
        InputRefused: A file cannot be read.
    """
    from rai_assets.data.contract import Contract
    from rai_assets.data.inference import declared_path, infer
    from rai_assets.data.media.guess import with_media
    from rai_assets.data.template import dataset_yaml

    folder = new_definitions_folder() / name
    path = folder / "defs.yaml"
    _check(name, wishes, path)
    progress = Progress(report)
    settings, guesses = infer(
        data, test, base=folder, wishes=wishes, columns=columns, separator=separator, progress=progress
    )
    if media is not None:
        settings, column, guess = with_media(settings, data, media, declared_path(media.absolute(), folder))
        guesses = [*(line for line in guesses if not line.startswith(f"{column} is ")), guess]
    text = "".join(
        [
            f"# Written by `rai init {name}`. What was guessed:\n",
            *(f"#   {line}\n" for guess in guesses for line in guess.splitlines()),
            f"type: {COMPONENT_TYPE}\nattributes:\n  name: {name}\n",
            "  # title: A name for people\n  # description: What is decided, about whom, and what for.\n",
            '  # owners: ["team:name", "person@example.com"]\n\n  dataset:\n',
            dataset_yaml(settings, 4),
            "" if wishes.logged else _MODEL,
            _REQUIREMENTS.format(
                name=name,
                sensitive=wishes.sensitive[0] if wishes.sensitive else "COLUMN",
                **_REQUIRED[Contract.of(settings).task or "binary"],
            ),
        ]
    )
    _write(path, text)
    return path, guesses


def _check(name: str, wishes: Wishes, path: Path) -> None:
    """Refuse what cannot be declared, before any file is read."""
    if not re.fullmatch(USE_CASE_PATTERN, name):
        raise UsageError(
            f"{name[:80]!r} is no name of a use case", fix="3 to 41 characters: a-z, 0-9 and _, a letter first"
        )
    if wishes.target is None and not wishes.logged:
        raise UsageError(
            "a model needs the column of the true outcome",
            fix="add --target COLUMN, or name the column of logged decisions: --prediction COLUMN",
        )
    if path.exists():
        raise UsageError(f"{path} exists", fix="edit it, or choose another name")


_EXAMPLE = """\
# A use case: data, model, questions, requirements. This example runs as it stands: `rai run NAME`.
type: COMPONENT
attributes:
  name: NAME
  title: An example to be replaced
  description: What is decided, about whom, and what for.
  owners: ["team:example"]

  dataset:
    files: [{path: example.csv}]
    split: {by: fraction, test: 0.3}
    columns:
      income: {role: feature, dtype: number, minimum: 0}
      employed: {role: feature, dtype: category, allowed: ["no", "yes"]}
      sex: {role: sensitive, dtype: category, allowed: [F, M]}
      repaid: {role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}

  # One of: estimator, factory (module:function), onnx; or no model where a column has the role prediction or score.
  model:
    estimator: logistic_regression

  requirements:
    - id: R1
      text: Women and men are selected about as often.
      definition: demographic_parity_difference
      sensitive: [sex]
      at_most: 0.2
"""


def write_example(folder: Path) -> None:
    """A declaration that runs as it stands, with its small made table, named after its folder."""
    draw = random.Random(0)  # noqa: S311  an example, not a secret
    rows = ["income,employed,sex,repaid"]
    for _ in range(600):
        income, employed = max(draw.gauss(40, 12), 0), draw.random() < 0.8
        repaid = income + 8 * employed + draw.gauss(0, 8) > 44
        rows.append(f"{income:.1f},{'yes' if employed else 'no'},{draw.choice('FM')},{'yes' if repaid else 'no'}")
    name = re.sub(r"[^a-z0-9_]", "_", folder.name.lower())
    _write(folder / "example.csv", "\n".join(rows) + "\n")
    _write(folder / "defs.yaml", _EXAMPLE.replace("NAME", name).replace("COMPONENT", COMPONENT_TYPE))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.part")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise RaiError(
            f"the file cannot be written: {error.strerror}",
            where=str(path),
            fix="work in a folder that you may write to, or set RAI_DEFS to one",
        ) from error
