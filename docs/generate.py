"""Writes docs/definitions.md and docs/declaration.md from the code; `make docs` runs it, a test compares."""

from __future__ import annotations

import inspect
import re
import types
import typing
from pathlib import Path

from pydantic import BaseModel

from rai_assets.metrics.definitions import DEFINITIONS
from rai_assets.use_case.config import UseCase

FOLDER = Path(__file__).parent
_WORDS: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}

DEFINITIONS_HEAD = """\
# Definitions

A number is published with the id of its formula. Two numbers compare only if their ids are equal; a changed formula
gets a new version. All rows, a group, a cohort and a split are coordinates of a number, not part of its id. This page
is written from `rai_assets/metrics/definitions.py`.

Y target, D decision, S score, w weight; tp, fp, fn, tn the weighted counts of the four cells.
"""

DECLARATION_HEAD = """\
# The declaration

One `defs.yaml` declares one use case. It begins with

```yaml
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: ...
```

and everything below stands under `attributes:`. `rai init` writes one from data files; `rai validate` reads it with
line numbers. The same in Python: a `use_case.py` that defines `use_case = UseCase(...)`. YAML is read by the rules of
YAML 1.2 (`NO` and `12:30` are text), without aliases and tags. This page is written from the settings classes.
"""


def definitions_page() -> str:
    """Every definition by family."""
    families: dict[str, list[str]] = {}
    for item in DEFINITIONS.values():
        row = f"| `{item.id}` | {_cell(item.formula)} | {_cell(item.source)} |"
        families.setdefault(item.family, []).append(row)
    parts = [DEFINITIONS_HEAD]
    for family, rows in families.items():
        parts.append(
            f"\n## {family.capitalize()}\n\n| id | formula | source |\n|:--|:--|:--|\n" + "\n".join(rows) + "\n"
        )
    return "".join(parts)


def declaration_page() -> str:
    """Every setting with its type, default and meaning, outermost first."""
    parts, waiting, seen = [DECLARATION_HEAD], [("The use case", UseCase)], set()
    while waiting:
        title, model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        summary, meanings = _docstring(model)
        rows = []
        for name, field in model.model_fields.items():
            inner = _models(field.annotation)
            waiting += [(f"`{name}`", item) for item in inner]
            default = (
                "required" if field.is_required() else _cell(_default(field.get_default(call_default_factory=True)))
            )
            meaning = field.description or meanings.get(name, "")
            rows.append(f"| `{name}` | {_cell(_type(field.annotation))} | {default} | {_cell(meaning)} |")
        parts.append(
            f"\n## {title}\n\n{summary}\n\n| key | type | default | meaning |\n|:--|:--|:--|:--|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "".join(parts)


def _docstring(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    text = inspect.getdoc(model) or ""
    summary, _, attributes = text.partition("Attributes:")
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE)
    return " ".join(summary.split()), {name: " ".join(meaning.split()) for name, meaning in entries}


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def _type(annotation: object) -> str:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(parts[0])
    if origin is typing.Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(part) for part in parts if part is not type(None))
    if origin is list:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"{{{_type(parts[0])}: {_type(parts[1])}}}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return _WORDS.get(annotation, "any value")


def _default(value: object) -> str:
    if isinstance(value, BaseModel):
        return "its defaults"
    return "nothing" if value in (None, [], {}, "") else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {"definitions.md": definitions_page, "declaration.md": declaration_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
