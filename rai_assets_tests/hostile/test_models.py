"""ONNX files that reach outside themselves, take the machine, or do not say what a model says: rows 1 to 14."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from functools import partial
from io import BytesIO

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rai_assets.model import sandbox
from rai_assets_tests.hostile.conftest import SECRET, Case
from rai_assets_tests.model import supplied_models as supplied


def bring(case: Case, model: onnx.ModelProto | bytes) -> None:
    data = model if isinstance(model, bytes) else model.SerializeToString()
    (case.place / "own.onnx").write_bytes(data)


def test_01_values_in_a_file_above_the_model(case: Case) -> None:
    bring(case, supplied.external("../secret", length=str(len(SECRET))))
    case.refused("run loans", "another file ('../secret')", "nothing was read", "one file", where="own.onnx")


@pytest.mark.parametrize("location", ["/etc/passwd", "..\\secret"])
def test_02_values_at_an_absolute_or_windows_path(case: Case, location: str) -> None:
    bring(case, supplied.external(location))
    case.refused("run loans", f"another file ({location!r})", where="own.onnx")


def test_03_symlink_beside_a_model(case: Case) -> None:
    (case.place / "own.onnx").rename(case.place / "real.onnx")
    (case.place / "own.onnx").symlink_to(case.place / "real.onnx")
    case.refused("run loans", "links are not followed", "copy the file itself", where="own.onnx")
    (case.place / "own.onnx").unlink()
    (case.place / "own.onnx").symlink_to(case.place / "secret")
    case.refused("run loans", "links are not followed", where="own.onnx")


def test_04_hardlink_beside_a_model(case: Case) -> None:
    os.link(case.place / "own.onnx", case.place / "other.onnx")
    bring(case, supplied.logistic(0.2))
    case.refused("run loans", "hard link", "copy the file itself", where="own.onnx")


def test_04_hardlinked_values_beside_a_model(case: Case) -> None:
    (case.place / "weights").hardlink_to(case.place / "secret")
    bring(case, supplied.external("weights"))
    case.refused("run loans", "another file ('weights')", where="own.onnx")
    (case.place / "weights").unlink()


def test_05_impossible_offset_and_length(case: Case) -> None:
    bring(case, supplied.external("secret", offset="-16", length=str(1 << 40)))
    case.refused("run loans", "another file ('secret')", where="own.onnx")


def test_06_values_at_a_memory_address(case: Case) -> None:
    bring(case, supplied.external("*/_ORT_MEM_ADDR_/*", offset="94000000000000", length="64"))
    case.refused("run loans", "_ORT_MEM_ADDR_", "nothing was read", where="own.onnx")


def test_07_unknown_keys_of_values_elsewhere(case: Case) -> None:
    bring(case, supplied.external("secret", __class__="x"))
    case.refused("run loans", "another file ('secret')", where="own.onnx")


def test_08_an_endless_loop_is_ended_and_the_next_run_works(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster as dg

    # The default gives a model a minute of processor time.
    monkeypatch.setattr(sandbox, "Limits", partial(sandbox.Limits, seconds=1))
    good = (case.place / "own.onnx").read_bytes()
    bring(case, supplied.endless_loop())
    case.refused("run loans", "exceeded 1 s of processor time", where="own.onnx")
    with dg.DagsterInstance.get() as instance:
        assert [run.status.value for run in instance.get_runs(limit=1)] == ["FAILURE"]
    bring(case, good)
    assert case.rai("run", "loans").code == 0


@pytest.mark.nightly
def test_08_an_endless_loop_under_the_default_limits(case: Case) -> None:
    bring(case, supplied.endless_loop())
    done = case.rai_apart("run", "loans")
    assert done.code == 3, done.err
    # On a busy machine the limit on the time by the clock comes first.
    assert "exceeded 60 s of processor time" in done.err or "within 120 s and was stopped" in done.err


def test_09_a_small_model_that_needs_all_the_memory(case: Case) -> None:
    bring(case, supplied.huge_constant())
    case.refused("run loans", "needs more than 2048 MiB of memory", where="own.onnx")


@pytest.mark.nightly
def test_09_a_model_that_doubles_its_input_forty_times(case: Case) -> None:
    bring(case, supplied.doubling())
    case.refused("run loans", "needs more than 2048 MiB of memory", where="own.onnx")


def test_10_an_operator_of_a_foreign_domain(case: Case) -> None:
    node = helper.make_node("Steal", ["age", "income"], ["probabilities"], domain="com.evil")
    bring(case, supplied.with_output([node]))
    case.refused("run loans", "Steal", "'com.evil'", "only ai.onnx and ai.onnx.ml", where="own.onnx")


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch opened",)


def _zipped() -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model.pkl", pickle.dumps(Bomb()))
    return archive.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (supplied.logistic().SerializeToString()[:-7], "truncated, or no ONNX"),
        (np.random.default_rng(0).bytes(3000), "truncated, or no ONNX"),
        (pickle.dumps(Bomb()), "pickles are never opened"),
        (_zipped(), "a zip archive"),
    ],
    ids=["empty", "truncated", "garbage", "pickle", "zip"],
)
def test_11_a_file_that_is_no_onnx(case: Case, data: bytes, says: str) -> None:
    bring(case, data)
    case.refused("run loans", says, where="own.onnx")
    assert not list(case.folder.rglob("opened"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_12_a_model_that_answers_nan_or_infinity(case: Case, value: float) -> None:
    """Where `age` is above 5 the answer is broken; the count and the first such row are said."""
    nodes = [
        helper.make_node("Greater", ["age", "five"], ["old"]),
        helper.make_node("Where", ["old", "broken", "half"], ["yes"]),
        helper.make_node("Sub", ["one", "yes"], ["no"]),
        helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
    ]
    constants = {"five": 5.0, "broken": value, "half": 0.5, "one": 1.0}
    bring(case, supplied.with_output(nodes, [supplied.constant(name, number) for name, number in constants.items()]))
    case.refused("run loans", "NaN or infinity on", "the first is row", where="own.onnx")


def _input(kind: int = supplied.FLOAT, shape: tuple = (None, 1), name: str = "age") -> onnx.ModelProto:
    model = supplied.logistic()
    model.graph.input[0].CopyFrom(supplied.value(name, kind, shape))
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (_input(name="Age"), ("age is missing", "Age is no feature", "Got: Age (float")),
        (_input(kind=TensorProto.STRING), ("age takes string where the column holds a number",)),
        (_input(shape=(0, 1)), ("age takes exactly 0 rows",)),
    ],
    ids=["renamed", "text", "no rows"],
)
def test_13_inputs_that_are_not_the_features(case: Case, model: onnx.ModelProto, says: tuple[str, ...]) -> None:
    bring(case, model)
    case.refused("run loans", *says, "Expected: age (number), income (number)", where="own.onnx")


def test_13_newer_than_the_runtime(case: Case) -> None:
    late = supplied.logistic()
    late.opset_import[0].version, late.ir_version = 999, 99
    bring(case, late)
    case.refused("run loans", "needs opset 999 and IR version 99", "older opset", where="own.onnx")


def _answers(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    return supplied.with_output(nodes)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (_answers(helper.make_node("Concat", ["age", "income"], ["probabilities"], axis=1)), "is no probability"),
        (_answers(helper.make_node("Sigmoid", ["age"], ["probabilities"])), "has 1 column and the target has 2"),
    ],
    ids=["logits", "one column"],
)
def test_14_outputs_that_are_no_probabilities(case: Case, model: onnx.ModelProto, says: str) -> None:
    bring(case, model)
    case.refused("run loans", says, "nothing is turned into one silently", where="own.onnx")


def test_14_labels_instead_of_probabilities(case: Case) -> None:
    node = helper.make_node("Greater", ["age", "income"], ["probabilities"])
    model = supplied.with_output([node])
    model.graph.output[0].CopyFrom(supplied.value("probabilities", TensorProto.BOOL))
    bring(case, model)
    case.refused("run loans", "is not a matrix of numbers", where="own.onnx")
