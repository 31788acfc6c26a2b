"""From training rows and settings to a model version: encode, fit, export, gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.data.contract import Contract
from rai_assets.errors import DeclarationError, InputRefused
from rai_assets.metrics.rows import Task
from rai_assets.model.column_encoding import Style
from rai_assets.model.core import Core
from rai_assets.model.encoding import KINDS, Encoding, Feature
from rai_assets.model.estimators import ESTIMATORS, check_parameters
from rai_assets.model.export import fit_and_export
from rai_assets.model.fitting import Recipe
from rai_assets.model.graph import Names, assemble
from rai_assets.model.parity import Probe, check, generated_rows
from rai_assets.model.rows import scored_rows, values_of, weights_of
from rai_assets.model.runtime import open_session, run_full
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.settings import ModelSettings
from rai_assets.model.steadiness import check_steady
from rai_assets.model.tell import Tell, silent
from rai_assets.model.version import ModelVersion, library_versions

# Models answer in float32, whose largest number is 3.4e38; sums on the way there need room.
_LARGEST_TARGET = 1e37


def train(
    table: pa.Table,
    contract: Contract,
    settings: ModelSettings,
    tell: Tell = silent,
    *,
    folder: Path = Path(),
    commit: str | None = None,
) -> ModelVersion:
    """Make a model version: train it, or take the supplied file in.

    Args:
        table: The training rows, all columns of the contract.
        contract: Roles, types and classes.
        settings: The declared model.
        tell: Told what happens.
        folder: The use case's folder, for factories and supplied files.
        commit: Data commit of the rows.

    Raises:
        DeclarationError: The declared model does not fit the contract.
        InputRefused: It cannot be trained on these rows, has no ONNX form, a supplied file is not acceptable, or the
            model does not give the same row the same answer.
        ParityFailed: The export does not say what the estimator says.
        RaiError: The export took too long.
    """
    task = contract.task
    threshold = settings.threshold if task == "binary" else None
    if contract.target is None or task is None:
        raise DeclarationError("a model needs a column with the role target", fix="give one column `role: target`")
    features = features_of(contract)
    if settings.onnx is not None:
        from rai_assets.model.adoption import adopt

        version = adopt(contract, settings, features, folder=folder, commit=commit)
        return _with_numbers(version, contract, table, (), tell)
    if settings.estimator is not None:
        check_parameters(settings.estimator, task, settings.parameters)
    rows, target, weight, notes = _training_rows(table, contract)
    tell("encoding the training rows", 0, 3)
    encoding = Encoding.fit(rows, features, _style(settings))
    notes += _unlisted(encoding)
    generated = generated_rows(rows, features, settings.seed)
    tell("fitting the estimator", 0, 3)
    recipe = _recipe(task, contract.classes, settings, folder)
    core = fit_and_export(recipe, encoding.matrix(rows), target, weight, (encoding.matrix(generated),), tell=tell)
    scale = core.target_scale
    file = assemble(core.onnx, encoding, classes=contract.classes, threshold=threshold, target_scale=scale)
    tell("comparing the export with the estimator", 2, 3)
    answers = ask(file, encoding, contract.classes, (rows, generated), core.native)
    spread = float(target.std()) if task == "regression" else 1.0
    parity = check(answers, task=task, threshold=threshold, spread=spread)
    version = ModelVersion(
        onnx=file,
        task=task,
        classes=contract.classes,
        threshold=threshold,
        features=features,
        encoding=encoding,
        output=Names.free(encoding, contract.classes).scores,
        output_classes=contract.classes,
        estimator=str(settings.estimator or settings.factory),
        parameters=settings.parameters,
        seed=settings.seed,
        libraries=library_versions(),
        commit=commit,
        training={},
        parity=parity,
    )
    return _with_numbers(version, contract, rows, (*notes, *core.notes), tell)


def features_of(contract: Contract) -> tuple[Feature, ...]:
    """The columns that a model may read, with what they hold.

    Raises:
        DeclarationError: There is none, or one holds text or a time.
    """
    if not contract.features:
        raise DeclarationError(
            "no column has the role feature: the model has nothing to read",
            where="dataset: columns",
            fix="give a column `role: feature`, or `role: [feature, sensitive]`",
        )
    for name in contract.features:
        dtype = contract[name].dtype
        if dtype not in KINDS:
            raise DeclarationError(
                f"the column {name!r} holds {dtype}, which no model here can read",
                fix="give it dtype category or number, or another role",
            )
    return tuple(Feature(name, KINDS[contract[name].dtype]) for name in contract.features)


def _recipe(task: Task, classes: tuple[str, ...], settings: ModelSettings, folder: Path) -> Recipe:
    return Recipe(
        task=task,
        estimator=settings.estimator,
        factory=settings.factory,
        folder=str(folder.absolute()),
        parameters=settings.parameters,
        seed=settings.seed,
        classes=classes,
    )


def _style(settings: ModelSettings) -> Style:
    """The encoding of the declared estimator; a factory's can be anything, so it gets what fits everything."""
    return "scaled" if settings.estimator is None else ESTIMATORS[settings.estimator].style


def _training_rows(
    table: pa.Table, contract: Contract
) -> tuple[pa.Table, NDArray, NDArray[np.float64] | None, list[str]]:
    """Rows that can be learned from: table, target, weight, and notes on what was left out."""
    target, keep = values_of(contract, table, str(contract.target))
    left_out = how_many(int((~keep).sum()), "row without a target was", "rows without a target were")
    notes = [] if keep.all() else [f"{left_out} left out of the training"]
    weight = None
    if contract.weight is not None:
        weight, known = weights_of(table, contract.weight)
        if not known.all():
            left_out = how_many(int((~known).sum()), "row without a weight was", "rows without a weight were")
            notes.append(f"{left_out} left out of the training")
        keep &= known
        weight = weight[keep]
    rows, target = table.filter(pa.array(keep)), target[keep]
    if contract.task == "regression":
        beyond = int((np.abs(target) > _LARGEST_TARGET).sum())
        if beyond:
            raise InputRefused(
                f"{how_many(beyond, 'training row has', 'training rows have')} a target beyond {_LARGEST_TARGET:g}, "
                "which no model here can answer",
                where=f"column {contract.target!r}",
                fix="declare `minimum` and `maximum` for the column, or state it in a larger unit",
            )
        return rows, target, weight, notes
    counts = np.bincount(target, minlength=len(contract.classes))
    absent = [label for label, count in zip(contract.classes, counts, strict=True) if not count]
    if absent:
        raise InputRefused(
            f"no training row has the target {' or '.join(map(repr, absent))}: it cannot be learned",
            where=f"column {contract.target!r}",
            fix="check the split, the declared values and `positive`",
        )
    return rows, target.astype(np.int64), weight, notes


def _unlisted(encoding: Encoding) -> list[str]:
    return [
        f"{item.feature}: its {item.unlisted} rarest values have no column of their own and count as unseen"
        for item in encoding.categories
        if item.unlisted
    ]


def ask(
    file: bytes,
    encoding: Encoding,
    classes: Sequence[str],
    tables: Sequence[pa.Table],
    native: Sequence[NDArray[np.float64]],
) -> list[Probe]:
    """The answers of the file and of its core on the training rows and the generated ones, for the parity gate.

    Args:
        file: The ONNX file that `assemble` wrote.
        encoding: How source columns become the matrix.
        classes: Class labels, empty for regression.
        tables: Training rows, generated rows.
        native: The estimator's answers on them, (n, k) probabilities or (n,) values each.
    """
    names = Names.free(encoding, classes)
    full = open_session(file)
    core = Core(file, encoding, len(classes))
    codes = {item: code for code, item in enumerate(classes)}
    label = (names.label,) if classes else ()
    probes = []
    for name, table, expected in zip(("training", "generated"), tables, native, strict=True):
        rows, size = table.select(encoding.names), encoding.batch_rows
        inner = [core.scores(rows.slice(start, size)) for start in range(0, rows.num_rows, size)]
        said, *labels = run_full(full, (names.scores, *label), rows, encoding.features)
        said = said.astype(np.float64).reshape(expected.shape)
        said_by_core = np.concatenate(inner).reshape(expected.shape)
        decided = np.array([codes[item] for item in labels[0]]) if labels else None
        probes.append(Probe(name, rows, expected, said, said_by_core, decided))
    return probes


def _with_numbers(
    version: ModelVersion, contract: Contract, table: pa.Table, notes: Sequence[str], tell: Tell
) -> ModelVersion:
    """The version with its numbers on the training rows, if it answers row by row."""
    from dataclasses import replace

    from rai_assets.metrics.table import measure

    with ScoringSession(version) as session:
        if session.isolated is False:
            notes = (*notes, "this system did not let the supplied model's process be cut off from the network")
        scores = session.scores(table, tell)
        check_steady(session, table, scores, version.seed)
        scored = scored_rows(contract, table, "train", scores, version.threshold)
    numbers = [number.as_json() for number in measure(scored.rows, split="train")]
    facts = {"rows": scored.rows.n, "excluded": scored.excluded, "notes": list(notes), "numbers": numbers}
    return replace(version, training=facts)
