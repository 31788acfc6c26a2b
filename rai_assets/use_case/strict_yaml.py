"""Strict YAML with line numbers, for declarations.

YAML here is the core of YAML 1.2: `NO` and `12:30` are text, no aliases, no tags, no key twice. Every refusal names
file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rai_assets.errors import DeclarationError
from rai_assets.use_case.refusal import Path_

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 50
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}

# What a plain scalar may resolve to in PyYAML's YAML 1.1; its text is read again below by the rules of YAML 1.2.
_SCALAR_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")}
_COLLECTION_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


def read_yaml(path: Path) -> tuple[Any, dict[Path_, int]]:
    """The value of a YAML file and the line (from 1) of every key and item in it.

    Raises:
        DeclarationError: Not readable, not YAML, or YAML with aliases, tags or a key twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DeclarationError(
            f"the file cannot be read: {error.strerror}", where=str(path), fix="check that you may read it"
        ) from error
    if len(data) > _MAX_BYTES:
        raise DeclarationError(
            f"the file has {len(data):,} bytes; a declaration has at most {_MAX_BYTES:,}",
            where=str(path),
            fix="keep data in files of their own, and leave out `allowed` where there are very many values",
        )
    try:
        text = data.decode("utf-8-sig")
        _refuse_aliases_and_depth(text, path)
        node = yaml.compose(text, _Loader)
    except UnicodeDecodeError as error:
        raise DeclarationError("the file is not UTF-8 text", where=str(path), fix="save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise DeclarationError(
            f"not valid YAML: {problem}", where=place, fix="check indentation and quotes there"
        ) from error
    lines: dict[Path_, int] = {}
    return (None if node is None else _value(node, (), lines, path)), lines


def _refuse_aliases_and_depth(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        where = f"{path}:{event.start_mark.line + 1 if event.start_mark else 1}"
        if isinstance(event, yaml.AliasEvent):
            raise DeclarationError("aliases (`*name`) are not read", where=where, fix="write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise DeclarationError(f"nested more than {_MAX_DEPTH} levels deep", where=where, fix="check the brackets")


def _value(node: yaml.Node, place: Path_, lines: dict[Path_, int], path: Path) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path)
    if node.tag not in _COLLECTION_TAGS:
        raise _tag_refused(node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, index), lines, path) for index, item in enumerate(node.value)]
    result: dict[Any, Any] = {}
    for key_node, item in _pairs(node, path):
        key = _scalar(key_node, path)
        key = key_node.value if not isinstance(key, str) else key
        key_line = key_node.start_mark.line + 1
        if key in result:
            raise DeclarationError(f"the key {key!r} stands twice", where=f"{path}:{key_line}", fix="keep one of them")
        lines[(*place, key)] = key_line
        result[key] = _value(item, (*place, key), lines, path)
    return result


def _pairs(node: yaml.Node, path: Path) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    for key, item in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise DeclarationError(
                "a key must be a word", where=f"{path}:{key.start_mark.line + 1}", fix="put it in quotes"
            )
        yield key, item


def _scalar(node: yaml.ScalarNode, path: Path) -> Any:
    plain = not node.style
    if node.tag not in _SCALAR_TAGS or (not plain and node.tag != "tag:yaml.org,2002:str"):
        raise _tag_refused(node, path)
    text = node.value
    if not plain:
        return text
    if text.lower() in _CONSTANTS and text in {text.lower(), text.capitalize(), text.upper()}:
        return _CONSTANTS[text.lower()]
    if _INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _tag_refused(node: yaml.Node, path: Path) -> DeclarationError:
    where = f"{path}:{node.start_mark.line + 1}"
    return DeclarationError(f"the tag {node.tag!r} is not read", where=where, fix="write a plain value")
