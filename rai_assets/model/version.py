"""A model version: one ONNX file with its digest and everything that says where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rai_assets.errors import InputRefused
from rai_assets.metrics.rows import Task
from rai_assets.model.encoding import Encoding, Feature

if TYPE_CHECKING:
    from rai_assets.model.core import Core

MODEL_FILE = "model.onnx"
VERSION_FILE = "version.json"
PARITY_FILE = "parity.json"


@dataclass(frozen=True)
class ModelVersion:
    """A model that can be scored, and its history.

    Attributes:
        onnx: The ONNX file.
        task: Kind of target.
        classes: Class labels in the order of the probabilities' columns; for binary the second is the positive one;
            empty for regression.
        threshold: Binary: decide for the positive class from this probability on; None for other tasks.
        features: The source columns that the model reads.
        encoding: How they become the core's matrix; None for a supplied file, which has no core that we know of and
            is run in the worker only.
        output: Name of the output with probabilities or predicted values.
        output_classes: Class labels in the order of that output's columns, where it differs from `classes`.
        estimator: Name of the estimator, the factory, or the path of the supplied file, as declared.
        parameters: As declared.
        seed: Seed of the training.
        libraries: Versions of the libraries that made the file.
        commit: Data commit of the training rows, or None.
        training: Facts of the training: rows, notes, and the model's numbers on the training rows.
        parity: Report of the gate between estimator and export; None for a supplied file.
    """

    onnx: bytes = field(repr=False)
    task: Task
    classes: tuple[str, ...]
    threshold: float | None
    features: tuple[Feature, ...]
    encoding: Encoding | None
    output: str
    output_classes: tuple[str, ...]
    estimator: str
    parameters: Mapping[str, Any]
    seed: int
    libraries: Mapping[str, str]
    commit: str | None
    training: Mapping[str, Any]
    parity: Mapping[str, Any] | None

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the ONNX file: the name of the model."""
        return hashlib.sha256(self.onnx).hexdigest()

    @cached_property
    def core(self) -> Core | None:
        """Its numeric core, ready to run; None for a supplied file.

        Raises:
            InputRefused: The file holds more than our own exports do.
        """
        from rai_assets.model.core import Core

        return None if self.encoding is None else Core(self.onnx, self.encoding, len(self.classes))

    @property
    def supplied(self) -> bool:
        """True for a file that was trained elsewhere."""
        return self.encoding is None

    def files(self) -> dict[str, bytes]:
        """The version as files; the same version gives the same bytes."""
        facts = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in ("onnx", "parity")}
        facts["features"] = [vars(item) for item in self.features]
        facts["encoding"] = self.encoding.as_json() if self.encoding else None
        facts["digest"] = self.digest
        result = {MODEL_FILE: self.onnx, VERSION_FILE: _json(facts)}
        return result if self.parity is None else {**result, PARITY_FILE: _json(self.parity)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ModelVersion:
        """The version that `files` wrote.

        Raises:
            InputRefused: The ONNX file is not the one that the version names.
        """
        facts = json.loads(files[VERSION_FILE])
        digest = facts.pop("digest")
        facts["classes"], facts["output_classes"] = tuple(facts["classes"]), tuple(facts["output_classes"])
        facts["features"] = tuple(Feature(**item) for item in facts["features"])
        facts["encoding"] = Encoding.from_json(facts["encoding"]) if facts["encoding"] else None
        parity = json.loads(files[PARITY_FILE]) if PARITY_FILE in files else None
        version = cls(onnx=files[MODEL_FILE], parity=parity, **facts)
        if version.digest != digest:
            raise InputRefused(
                f"the stored model has the digest {version.digest[:12]} and its version names {digest[:12]}",
                fix="train the model again: one of the two files was changed",
            )
        return version


def library_versions() -> dict[str, str]:
    """Versions of the libraries that make and run an exported model."""
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx")}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False, default=dict).encode()
