"""The user's own ONNX embedding: what it is given, what it answers, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

from rai_assets.errors import InputRefused
from rai_assets.monitoring.drift import drift
from rai_assets.monitoring.drift.media.files import folder_source
from rai_assets.monitoring.drift.media.settings import EmbeddingSettings, MediaSettings
from rai_assets_tests.monitoring.drift.media.conftest import Digits, Unpack


def embedding(path: Path, shape: list[int | str], kind: int = TensorProto.FLOAT, weights: int = 3) -> MediaSettings:
    """An embedding whose numbers are sums of pixels with weights known here; pinned."""
    size = int(np.prod([side for side in shape[1:] if isinstance(side, int)]))
    matrix = np.arange(size * weights, dtype=np.float32).reshape(size, weights) % 5 - 2
    nodes = [
        helper.make_node("Cast", ["pictures"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["cast"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "matrix"], ["vectors"]),
    ]
    graph = helper.make_graph(
        nodes,
        "embedding",
        [helper.make_tensor_value_info("pictures", kind, shape)],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [shape[0], weights])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return pinned(path)


def pinned(path: Path) -> MediaSettings:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return MediaSettings(embedding=EmbeddingSettings(model=str(path), sha256=digest))


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (["n", 3, 14, 14], TensorProto.FLOAT),
        (["n", 14, 14, 1], TensorProto.UINT8),
        ([1, 14, 14], TensorProto.FLOAT),
    ],
)
def test_pictures_are_given_at_its_size(
    digits: Digits, unpack: Unpack, tmp_path: Path, shape: list[int | str], kind: int
) -> None:
    asked = embedding(tmp_path / "encoder.onnx", shape, kind)
    small = digits.pixels[:40, ::2, ::2]
    source = folder_source(unpack("some", small.repeat(2, axis=1).repeat(2, axis=2)), asked, 0, lambda *_: None)
    found = np.stack(pa.Table.from_batches(list(source.batches))["media_embedding"].to_pylist())
    given = small.reshape(40, -1) / (1 if kind == TensorProto.UINT8 else 255)
    given = np.tile(given, (1, 3)) if 3 in shape else given  # grey has three equal channels
    matrix = np.arange(given.shape[1] * 3).reshape(-1, 3) % 5 - 2
    np.testing.assert_allclose(found, given @ matrix, rtol=1e-4, atol=1e-3)


def test_a_change_of_the_embedding_is_found(digits: Digits, unpack: Unpack, tmp_path: Path) -> None:
    asked = embedding(tmp_path / "encoder.onnx", ["n", 1, 7, 7], weights=8)
    before, now = unpack("before", digits.pixels[:400]), unpack("now", digits.pixels[400:700])
    turned = unpack("turned", digits.pixels[400:700].transpose(0, 2, 1))
    assert not drift(before, now, media=asked).drifted
    found = drift(before, turned, media=asked)
    assert {row.column for row in found.drifted} == {"media_embedding"}
    assert f"encoder.onnx (sha256 {asked.embedding.sha256[:12]})" in found.notes[-1]


def test_another_file_than_the_pinned_one_is_refused(digits: Digits, unpack: Unpack, tmp_path: Path) -> None:
    asked = embedding(tmp_path / "encoder.onnx", ["n", 1, 7, 7])
    embedding(tmp_path / "encoder.onnx", ["n", 1, 7, 7], weights=4)
    folder = unpack("some", digits.pixels[:2])
    with pytest.raises(InputRefused, match="its SHA-256 is .* was named"):
        drift(folder, folder, media=asked)


@pytest.mark.parametrize("shape", [["n", 20], ["n", 3, "h", "w"], [7, 3, 8, 8], ["n", 5, 8, 8]])
def test_what_takes_no_pictures_is_refused(
    digits: Digits, unpack: Unpack, tmp_path: Path, shape: list[int | str]
) -> None:
    asked = embedding(tmp_path / "encoder.onnx", shape)
    folder = unpack("some", digits.pixels[:2])
    with pytest.raises(InputRefused, match="takes no pictures: its input has the shape"):
        drift(folder, folder, media=asked)


def test_what_is_no_model_is_refused(digits: Digits, unpack: Unpack, tmp_path: Path) -> None:
    (tmp_path / "encoder.onnx").write_bytes(b"\x80\x04\x95 pickled")
    folder = unpack("some", digits.pixels[:2])
    with pytest.raises(InputRefused, match="a Python pickle"):
        drift(folder, folder, media=pinned(tmp_path / "encoder.onnx"))
