"""What is looked at in a supplied ONNX file before any runtime sees it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rai_assets.charts.text import how_many
from rai_assets.errors import InputRefused
from rai_assets.model.encoding import Feature, Kind

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 1 << 30
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_SINGLE_FILE = "save the model as one file with everything in it (onnx.save without external data)"
_NOT_ONNX = {
    b"\x80": "a Python pickle; pickles are never opened, because opening one runs whatever its author wrote",
    b"PK": "a zip archive (as torch, skops and Keras write)",
    b"\x89HDF": "an HDF5 file (as Keras writes)",
    b"\x1f\x8b": "a gzip archive",
    b"{": "a JSON text",
}


def read_model_file(path: Path) -> bytes:
    """The bytes of a model file that is nothing but a file.

    Raises:
        InputRefused: A link, a special file, an empty or a very large one, or none at all.
    """
    where = path.name
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise InputRefused("there is no such model file", where=where, fix="check `model: onnx: path:`") from error
    except OSError as error:
        raise InputRefused(
            f"the model file cannot be opened ({error.strerror}); links are not followed",
            where=where,
            fix="copy the file itself into the use case's folder",
        ) from error
    try:
        _refuse_special(os.fstat(handle), where)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def _refuse_special(facts: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise InputRefused("the model is no regular file", where=where, fix="name the ONNX file itself")
    if facts.st_nlink != 1:
        raise InputRefused(
            "the model file is a hard link: the same bytes have another name, and can change under it",
            where=where,
            fix="copy the file itself into the use case's folder",
        )
    if facts.st_size > MAX_BYTES:
        raise InputRefused(
            f"the model has {facts.st_size >> 20} MiB; at most {MAX_BYTES >> 20} are read",
            where=where,
            fix="supply a smaller model: one file holds all of it",
        )


def parse_model(data: bytes, where: str) -> onnx.ModelProto:
    """The model in the bytes, its structure safe to hand to a runtime.

    Safe means: a whole ONNX model in one file, with operators of ONNX's own two domains. What it computes, and for
    how long, is the worker's concern.

    Args:
        data: The file.
        where: Its name in errors.

    Raises:
        InputRefused: With what is wrong, in the user's words.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if not data:
        raise InputRefused(
            "the file is empty, not an ONNX model", where=where, fix="export the model again and supply that file"
        )
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise _not_onnx(data, "truncated, or no ONNX at all", where) from error
    if not (model.ir_version and model.graph.node and model.graph.output):
        raise _not_onnx(data, "a file without a graph", where)
    _refuse_newer(model, where)
    refuse_unsafe(model, where)
    return model


def _not_onnx(data: bytes, otherwise: str, where: str) -> InputRefused:
    guess = next((name for start, name in _NOT_ONNX.items() if data.startswith(start)), otherwise)
    fix = "export the model to ONNX and supply that file"
    return InputRefused(f"the file is not an ONNX model: it is {guess}", where=where, fix=fix)


def refuse_unsafe(model: onnx.ModelProto, where: str) -> None:
    """Refuse files that reach outside themselves, and operators that ONNX does not define.

    Args:
        model: The parsed file.
        where: Its name in errors.

    Raises:
        InputRefused: External data, a foreign operator domain, or training information.
    """
    from onnx import TensorProto

    if model.training_info or model.functions:
        raise InputRefused(
            "the model carries functions or training steps of its own",
            where=where,
            fix="export it for inference, with its functions inlined",
        )
    for entry in model.opset_import:
        _refuse_domain(entry.domain, "", where)
    for node in _nodes(model.graph):
        _refuse_domain(node.domain, node.op_type, where)
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            place = next((item.value for item in tensor.external_data if item.key == "location"), "")
            raise InputRefused(
                f"the model keeps the values of {tensor.name!r} in another file ({place!r}); nothing was read from it",
                where=where,
                fix=_SINGLE_FILE,
            )


def refuse_signature(model: onnx.ModelProto, features: Sequence[Feature], output: str, where: str) -> None:
    """Refuse a model whose inputs are not the features, or that lacks the declared output.

    Args:
        model: The parsed file.
        features: Each must be an input of shape (rows, 1) or (rows,) of a fitting type, and there may be no other.
        output: Name of the output with probabilities or the predicted value.
        where: The file's name in errors.

    Raises:
        InputRefused: With the inputs expected and those found.
    """
    constants = {item.name for item in model.graph.initializer}
    found = {item.name: item.type for item in model.graph.input if item.name not in constants}
    expected = {item.name: item.kind for item in features}
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is no feature of the contract" for name in found if name not in expected]
    for name, kind in expected.items():
        if name in found:
            problems += [f"{name} {problem}" for problem in _input_problems(found[name], kind)]
    if problems:
        raise InputRefused(
            f"the model's inputs do not fit the features: {'; '.join(problems)}. "
            f"Expected: {', '.join(f'{name} ({kind})' for name, kind in expected.items())}. "
            f"Got: {', '.join(f'{name} ({_describe(kind)})' for name, kind in found.items()) or 'none'}",
            where=where,
            fix="export the model with one input of shape (rows, 1) per feature, named like the column",
        )
    _refuse_output(model, output, where)


def _refuse_output(model: onnx.ModelProto, output: str, where: str) -> None:
    outputs = {item.name: item.type for item in model.graph.output}
    if output not in outputs:
        raise InputRefused(
            f"the model has no output {output!r}; it has {', '.join(outputs)}",
            where=where,
            fix="name the output with probabilities (or the predicted value) in `model: onnx: output:`",
        )
    if not outputs[output].HasField("tensor_type"):
        raise InputRefused(
            f"the output {output!r} is a list of dictionaries, not a matrix",
            where=where,
            fix="export the model with zipmap switched off",
        )


def _refuse_newer(model: onnx.ModelProto, where: str) -> None:
    import onnx

    newest = {"": onnx.defs.onnx_opset_version(), "ai.onnx": onnx.defs.onnx_opset_version()}
    late = [f"opset {item.version}" for item in model.opset_import if item.version > newest.get(item.domain, 1 << 30)]
    late += [f"IR version {model.ir_version}"] if model.ir_version > onnx.IR_VERSION else []
    if late:
        raise InputRefused(
            f"the model is newer than this runtime: it needs {' and '.join(late)}; known here are opset {newest['']} "
            f"and IR version {onnx.IR_VERSION}",
            where=where,
            fix="export it for an older opset (17 is read everywhere), or install a newer rai_assets",
        )


def _refuse_domain(domain: str, operator: str, where: str) -> None:
    if domain not in DOMAINS:
        what = f"the operator {operator} of" if operator else "operators of"
        raise InputRefused(
            f"the model uses {what} the domain {domain!r}; only ai.onnx and ai.onnx.ml are run",
            where=where,
            fix="export the model with standard operators only",
        )


_NUMBER_TYPES = ("FLOAT", "DOUBLE", "INT64", "INT32")
_ACCEPTED: dict[Kind, tuple[str, ...]] = {
    "category": ("STRING",),
    "number": _NUMBER_TYPES,
    "boolean": ("BOOL", *_NUMBER_TYPES),
}


def _input_problems(found: onnx.TypeProto, kind: Kind) -> Iterator[str]:
    name = _type_name(found)
    if name not in _ACCEPTED[kind]:
        yield f"takes {name.lower()} where the column holds a {kind}"
        return
    shape = found.tensor_type.shape.dim if found.tensor_type.HasField("shape") else []
    if found.tensor_type.HasField("shape") and len(shape) not in (1, 2):
        yield f"has {how_many(len(shape), 'dimension')}, not one row of one column"
    elif len(shape) and shape[0].HasField("dim_value"):
        yield f"takes exactly {how_many(shape[0].dim_value, 'row')}, not any number"
    elif len(shape) == 2 and shape[1].HasField("dim_value") and shape[1].dim_value != 1:
        yield f"takes {shape[1].dim_value} columns, not one"


def _type_name(kind: onnx.TypeProto) -> str:
    from onnx import TensorProto

    if not kind.HasField("tensor_type"):
        return str(kind.WhichOneof("value"))
    code = kind.tensor_type.elem_type
    return TensorProto.DataType.Name(code) if code in TensorProto.DataType.values() else f"type {code}"


def _describe(kind: onnx.TypeProto) -> str:
    dims = kind.tensor_type.shape.dim if kind.HasField("tensor_type") else []
    sizes = [str(item.dim_value) if item.HasField("dim_value") else item.dim_param or "?" for item in dims]
    return f"{_type_name(kind).lower()} [{', '.join(sizes)}]"


def _nodes(graph: onnx.GraphProto) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for inner in _graphs(node):
            yield from _nodes(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[Any]:
    """Every tensor anywhere in a graph: initializers and attributes, subgraphs included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for item in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (item.values, item.indices)
        for inner in _graphs(node):
            yield from _tensors(inner)


def _graphs(node: onnx.NodeProto) -> Iterator[Any]:
    for attribute in node.attribute:
        yield from (attribute.g, *attribute.graphs)
