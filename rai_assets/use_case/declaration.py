"""Reading a declaration: strict YAML with line numbers, or a Python file, into a `UseCase`.

YAML here is the core of YAML 1.2: `NO` and `12:30` are text, no aliases, no tags, no key twice. Every refusal names
file and line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rai_assets.errors import DeclarationError, RaiError, UsageError, near_names
from rai_assets.home import definitions_folder, demo_definition, home
from rai_assets.keys import repository_name
from rai_assets.metrics.requirements import Requirement
from rai_assets.use_case.config import UseCase
from rai_assets.use_case.refusal import Path_, refusal

COMPONENT_TYPE = "rai_assets.use_case.component.ResponsibleAIUseCase"
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 50
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}

# What a plain scalar may resolve to in PyYAML's YAML 1.1; its text is read again below by the rules of YAML 1.2.
_SCALAR_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")}
_COLLECTION_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass(frozen=True)
class Declared:
    """A use case and where it was declared.

    Attributes:
        use_case: The validated declaration.
        path: Its file, absolute.
        line: The line of its first attribute, from 1.
    """

    use_case: UseCase
    path: Path
    line: int = 1

    @property
    def requirements(self) -> list[Requirement]:
        """What must hold, as numbers are judged by it."""
        return [item.as_requirement() for item in self.use_case.requirements]

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the declaration start from."""
        return self.path.parent


@dataclass(frozen=True)
class Broken:
    """A declaration that cannot be loaded, and why."""

    path: Path
    error: RaiError

    @property
    def name(self) -> str:
        """The folder's name, as far as it can name an asset."""
        return re.sub(r"[^A-Za-z0-9_]", "_", self.path.parent.name) or "unnamed"


def files(folder: Path | None = None) -> list[Path]:
    """The declarations in `folder` (default: where use cases are found), one `defs.yaml` or `use_case.py` a folder."""
    root = definitions_folder() if folder is None else folder
    found = [path for name in ("defs.yaml", "use_case.py") for path in root.glob(f"**/{name}")]
    return sorted(path.absolute() for path in found)


def load_all(folder: Path | None = None) -> tuple[list[Declared], list[Broken]]:
    """Every use case that can be loaded, and every one that cannot.

    A name declared twice keeps its first file; the others are broken. A demo that was run is there, too, unless its
    name is taken.
    """
    declared: dict[str, Declared] = {}
    broken: list[Broken] = []
    for path in files(folder):
        try:
            loaded = load(path)
            if loaded is None:
                continue
            first = declared.get(loaded.use_case.name)
            if first is not None:
                raise DeclarationError(
                    f"the name {loaded.use_case.name!r} is taken by {first.path}",
                    where=f"{path}:{loaded.line}",
                    fix="give one of the two another name",
                )
        except RaiError as error:
            broken.append(Broken(path, error))
        else:
            declared[loaded.use_case.name] = loaded
    if folder is None and (demo := _demo_that_was_run()) is not None:
        declared.setdefault(demo.use_case.name, demo)
    return list(declared.values()), broken


def find(name: str) -> Declared:
    """The use case with this name.

    Raises:
        RaiError: It cannot be loaded.
        UsageError: There is none.
    """
    declared, broken = load_all()
    for item in declared:
        if item.use_case.name == name:
            return item
    for refused in broken:
        if refused.name == name:
            raise refused.error
    known = [item.use_case.name for item in declared]
    fix = near_names(name, known) if known else f"rai init {name} --data FILE --target COLUMN"
    raise UsageError(f"there is no use case {name[:80]!r} in {definitions_folder()}", fix=fix)


def _demo_that_was_run() -> Declared | None:
    """The packaged demo, where its state stands among a user's own use cases."""
    demo = load(demo_definition())
    ran = demo is not None and (home() / "store" / repository_name(demo.use_case.name)).is_dir()
    return demo if ran else None


def load(path: Path) -> Declared | None:
    """The use case declared in one file; None where a `defs.yaml` declares another component.

    Raises:
        DeclarationError: The file cannot be read or does not fit; the message names file, line and the fix.
    """
    path = path.absolute()
    if path.suffix == ".py":
        return Declared(_from_python(path), path)
    value, lines = read_yaml(path)
    if not isinstance(value, dict) or "type" not in value:
        raise DeclarationError(
            "a declaration starts with `type:`", where=f"{path}:1", fix=f"begin with\n  type: {COMPONENT_TYPE}"
        )
    if value["type"] != COMPONENT_TYPE:
        return None
    unknown = sorted(set(value) - {"type", "attributes"})
    if unknown:
        raise DeclarationError(
            f"{unknown[0]!r} is not known here",
            where=f"{path}:{lines[(unknown[0],)]}",
            fix="everything about the use case stands under `attributes:`",
        )
    try:
        use_case = UseCase.model_validate(value.get("attributes") or {})
    except ValidationError as error:
        raise refusal(error, lambda place: f"{path}:{_line(place, lines)}") from error
    return Declared(use_case, path, lines.get(("attributes", "name"), 1))


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


def _line(place: Path_, lines: dict[Path_, int]) -> int:
    """The line of a place, or of the nearest one around it."""
    known: Path_ = ("attributes", *place)
    while known not in lines and known:
        known = known[:-1]
    return lines.get(known, 1)


def _from_python(path: Path) -> UseCase:
    import linecache
    import runpy

    sys.path.insert(0, str(path.parent))
    try:
        names = runpy.run_path(str(path), run_name=f"rai_use_case_{path.parent.name}")
    except ValidationError as error:
        line = _line_in(path, error)
        source = linecache.getline(str(path), line).strip()
        raise refusal(error, lambda _: f"{path}:{line}", source) from error
    except (Exception, SystemExit) as error:  # a file that exits must not end the command with its code
        place = f"{path}:{_line_in(path, error)}"
        raise DeclarationError(
            f"the file ends with {type(error).__name__}: {error}", where=place, fix="mend the code there"
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    use_case = names.get("use_case")
    if not isinstance(use_case, UseCase):
        raise DeclarationError(
            "the file does not define `use_case`", where=f"{path}:1", fix="end it with `use_case = UseCase(...)`"
        )
    return use_case


def _line_in(path: Path, error: BaseException) -> int:
    """The line of a file in which an error came up."""
    frame, line = error.__traceback__, 1
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(path):
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
