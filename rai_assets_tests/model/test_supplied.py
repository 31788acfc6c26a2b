"""A supplied file is looked at before any runtime sees it; every refusal says what and why."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rai_assets.errors import DeclarationError, InputRefused
from rai_assets.model.adoption import adopt
from rai_assets.model.encoding import Feature
from rai_assets.model.settings import ModelSettings
from rai_assets.model.supplied import parse_model, read_model_file, refuse_signature
from rai_assets.model.version import ModelVersion
from rai_assets_tests.model import supplied_models as supplied
from rai_assets_tests.model.people import contract

FEATURES = (Feature("age", "number"), Feature("income", "number"))


def refusal(data: bytes) -> InputRefused:
    with pytest.raises(InputRefused) as caught:
        parse_model(data, "model.onnx")
    assert caught.value.where == "model.onnx"
    return caught.value


def test_a_good_file_is_taken_in(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(supplied.logistic().SerializeToString())
    version = adopted(tmp_path)
    assert version.supplied
    assert (version.output, version.output_classes, version.classes) == ("probabilities", ("yes", "no"), ("no", "yes"))
    assert version.estimator == "model.onnx"


def adopted(folder: Path, path: str = "model.onnx", **onnx_settings: object) -> ModelVersion:
    settings = ModelSettings.model_validate({"onnx": {"path": path, "classes": ["yes", "no"], **onnx_settings}})
    return adopt(contract("binary"), settings, FEATURES, folder=folder, commit=None)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "..\\secret", "weights.bin", "*/_ORT_MEM_ADDR_/*"])
def test_values_in_another_file(location: str, tmp_path: Path) -> None:
    error = refusal(supplied.external(location).SerializeToString())
    assert f"keeps the values of 'weight' in another file ({location!r}); nothing was read" in error.what


@pytest.mark.parametrize("entries", [{"offset": "-16"}, {"length": str(1 << 40)}, {"__class__": "x"}])
def test_strange_places_in_another_file(entries: dict[str, str]) -> None:
    assert "in another file" in refusal(supplied.external("weights.bin", **entries).SerializeToString()).what


def test_values_in_another_file_hidden_in_a_subgraph() -> None:
    model = supplied.endless_loop()
    body = model.graph.node[0].attribute[0].g
    body.initializer.append(supplied.external("secret").graph.initializer[0])
    assert "in another file" in refusal(model.SerializeToString()).what
    hidden = supplied.logistic()
    tensor = supplied.external("secret").graph.initializer[0]
    hidden.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
    assert "in another file" in refusal(hidden.SerializeToString()).what


def test_a_marked_external_tensor_without_a_place() -> None:
    model = supplied.logistic()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    assert "in another file ('')" in refusal(model.SerializeToString()).what


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    real = tmp_path / "real.onnx"
    real.write_bytes(supplied.logistic().SerializeToString())
    (tmp_path / "soft.onnx").symlink_to(real)
    with pytest.raises(InputRefused, match="links are not followed"):
        read_model_file(tmp_path / "soft.onnx")
    assert read_model_file(real)
    os.link(real, tmp_path / "hard.onnx")
    for name in ("real.onnx", "hard.onnx"):
        with pytest.raises(InputRefused, match="is a hard link"):
            read_model_file(tmp_path / name)


def test_files_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(InputRefused, match="no regular file"):
        read_model_file(tmp_path / "pipe.onnx")
    with pytest.raises(InputRefused, match="no regular file"):
        read_model_file(tmp_path)
    with pytest.raises(InputRefused, match="there is no such model file"):
        read_model_file(tmp_path / "nothing.onnx")
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(InputRefused, match="1024 MiB; at most 1024 are read"):
        read_model_file(tmp_path / "huge.onnx")


@pytest.mark.parametrize("path", ["../model.onnx", "/etc/passwd", "linked/model.onnx"])
def test_a_path_out_of_the_folder(path: str, tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    (tmp_path / "model.onnx").write_bytes(supplied.logistic().SerializeToString())
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(InputRefused, match="outside the use case's folder"):
        adopted(folder, path)


class Bomb:
    """What a pickle of it does when it is opened."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("echo opened > opened",)


def test_what_is_no_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(b"").what == "the file is empty, not an ONNX model"
    assert "a Python pickle; pickles are never opened" in refusal(pickle.dumps(Bomb())).what
    assert not (tmp_path / "opened").exists()
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("model", "x")
    assert "a zip archive" in refusal((tmp_path / "model.zip").read_bytes()).what
    assert "not an ONNX model" in refusal(np.random.default_rng(0).bytes(5000)).what
    whole = supplied.logistic().SerializeToString()
    for end in (1, len(whole) // 2, len(whole) - 1):
        assert "not an ONNX model" in refusal(whole[:end]).what


def test_foreign_operators() -> None:
    node = helper.make_node("Steal", ["age"], ["probabilities"], domain="com.evil")
    model = supplied.with_output([node])
    assert (
        "the operator Steal of the domain 'com.evil'; only ai.onnx and ai.onnx.ml"
        in refusal(model.SerializeToString()).what
    )
    imported = supplied.logistic()
    imported.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert "operators of the domain 'com.microsoft'" in refusal(imported.SerializeToString()).what
    inside = supplied.endless_loop()
    inside.graph.node[0].attribute[0].g.node.append(node)
    assert "Steal" in refusal(inside.SerializeToString()).what


def test_functions_of_its_own() -> None:
    model = supplied.logistic()
    model.functions.append(
        helper.make_function(
            "", "Own", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 18)]
        )
    )
    assert "functions or training steps of its own" in refusal(model.SerializeToString()).what


def test_newer_than_the_runtime() -> None:
    late = supplied.logistic()
    late.opset_import[0].version = 999
    late.ir_version = 99
    assert "it needs opset 999 and IR version 99" in refusal(late.SerializeToString()).what


def signature(model: onnx.ModelProto, output: str = "probabilities") -> str:
    with pytest.raises(InputRefused) as caught:
        refuse_signature(model, FEATURES, output, "model.onnx")
    return caught.value.what


def changed(kind: int = supplied.FLOAT, shape: tuple = (None, 1), name: str = "age") -> onnx.ModelProto:
    model = supplied.logistic()
    model.graph.input[0].CopyFrom(supplied.value(name, kind, shape))
    return model


@pytest.mark.parametrize(
    ("model", "problem", "got"),
    [
        (changed(name="Age"), "age is missing; Age is no feature of the contract", "Age (float [?, 1])"),
        (changed(kind=supplied.STRING), "age takes string where the column holds a number", "age (string [?, 1])"),
        (changed(kind=TensorProto.COMPLEX64), "age takes complex64", "age (complex64 [?, 1])"),
        (changed(shape=(0, 1)), "age takes exactly 0 rows, not any number", "age (float [0, 1])"),
        (changed(shape=(1, 1)), "age takes exactly 1 row", "age (float [1, 1])"),
        (changed(shape=("n", 3)), "age takes 3 columns, not one", "age (float [n, 3])"),
        (changed(shape=(None, 1, 1)), "age has 3 dimensions", "age (float [?, 1, 1])"),
    ],
)
def test_inputs_expected_and_got(model: onnx.ModelProto, problem: str, got: str) -> None:
    text = signature(model)
    assert problem in text
    assert "Expected: age (number), income (number). Got: " in text
    assert got in text


def test_inputs_that_fit() -> None:
    for kind, shape in ((supplied.FLOAT, (None, 1)), (supplied.INT64, ("n",)), (TensorProto.DOUBLE, (None, None))):
        refuse_signature(changed(kind, shape), FEATURES, "probabilities", "model.onnx")
    listed = supplied.logistic()
    listed.graph.input.append(supplied.value("weight", shape=()))  # an initializer may be listed as an input too
    refuse_signature(listed, FEATURES, "probabilities", "model.onnx")


def test_outputs() -> None:
    assert "has no output 'scores'; it has probabilities" in signature(supplied.logistic(), "scores")
    zipped = supplied.logistic()
    kind = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(supplied.FLOAT, []))
    zipped.graph.output[0].type.CopyFrom(helper.make_sequence_type_proto(kind))
    assert "is a list of dictionaries" in signature(zipped)


def test_classes_must_be_declared(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(supplied.logistic().SerializeToString())
    with pytest.raises(DeclarationError, match="must name the classes no, yes in the order .* it names none"):
        adopted(tmp_path, classes=None)
    with pytest.raises(DeclarationError, match="it names no, maybe"):
        adopted(tmp_path, classes=["no", "maybe"])


def test_the_only_output_is_the_prediction(tmp_path: Path) -> None:
    model = supplied.logistic()
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    settings = ModelSettings.model_validate({"onnx": {"path": "model.onnx"}})
    version = adopt(contract("regression"), settings, FEATURES, folder=tmp_path, commit=None)
    assert version.output == "probabilities"
    model.graph.output.append(supplied.value("z"))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputRefused, match="has the outputs probabilities, z"):
        adopt(contract("regression"), settings, FEATURES, folder=tmp_path, commit=None)
