"""Taking in an ONNX file that was trained elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rai_assets.data.contract import Contract
from rai_assets.errors import DeclarationError, InputRefused
from rai_assets.model.encoding import Feature
from rai_assets.model.settings import ModelSettings, OnnxSettings
from rai_assets.model.supplied import parse_model, read_model_file, refuse_signature
from rai_assets.model.version import ModelVersion, library_versions

_MAX_PATH = 400  # characters


def adopt(
    contract: Contract,
    settings: ModelSettings,
    features: Sequence[Feature],
    *,
    folder: Path,
    commit: str | None,
) -> ModelVersion:
    """A model version from the declared ONNX file, looked at but not yet run.

    Args:
        contract: Task and classes.
        settings: The declaration, with `onnx`.
        features: The columns that the file's inputs must be.
        folder: The use case's folder, which the path is relative to.
        commit: Data commit of the training rows.

    Raises:
        DeclarationError: The declaration does not say what the outputs mean.
        InputRefused: The file is not acceptable.
    """
    declared = settings.onnx
    if declared is None:
        raise DeclarationError("no ONNX file is declared")
    classes = _classes(contract, declared)
    data = supplied_bytes(declared, folder)
    model = parse_model(data, declared.path)
    output = declared.output or ("probabilities" if classes else _only_output(model, declared.path))
    refuse_signature(model, features, output, declared.path)
    return ModelVersion(
        onnx=data,
        task=contract.task or "regression",
        classes=contract.classes,
        threshold=settings.threshold if contract.task == "binary" else None,
        features=tuple(features),
        encoding=None,
        output=output,
        output_classes=classes,
        estimator=declared.path,
        parameters={},
        seed=settings.seed,
        libraries=library_versions(),
        commit=commit,
        training={},
        parity=None,
    )


def supplied_bytes(declared: OnnxSettings, folder: Path) -> bytes:
    """The bytes of the declared ONNX file.

    Args:
        declared: Where it is.
        folder: The use case's folder, which the path is relative to.

    Raises:
        InputRefused: It lies outside the use case's folder, or is no plain file.
    """
    return read_model_file(_inside(folder, declared.path))


def _classes(contract: Contract, declared: OnnxSettings) -> tuple[str, ...]:
    if not contract.classes:
        return ()
    if sorted(declared.classes or ()) != sorted(contract.classes):
        raise DeclarationError(
            f"`model: onnx: classes:` must name the classes {', '.join(contract.classes)} in the order of the columns "
            f"of the model's probabilities; it names {', '.join(declared.classes or ()) or 'none'}",
            fix="write them there, in that order",
        )
    return tuple(declared.classes or ())


def _only_output(model: object, where: str) -> str:
    outputs = [item.name for item in model.graph.output]  # type: ignore[attr-defined]
    if len(outputs) != 1:
        raise InputRefused(
            f"the model has the outputs {', '.join(outputs)}", where=where, fix="name one in `model: onnx: output:`"
        )
    return outputs[0]


def _inside(folder: Path, path: str) -> Path:
    """The path, if it lies in the use case's folder.

    Raises:
        InputRefused: It is absolute or leads out of the folder, also through a linked folder.
    """
    if "\0" in path or len(path) > _MAX_PATH:
        raise InputRefused(
            "this is not the name of a model file",
            where=repr(path[:80]),
            fix="name the ONNX file in `model: onnx: path:`",
        )
    place = folder / path
    if Path(path).is_absolute() or not place.parent.resolve().is_relative_to(folder.resolve()):
        raise InputRefused(
            f"the model file {path!r} lies outside the use case's folder",
            where="model: onnx: path",
            fix="copy it there and name it relative to it",
        )
    return place
