"""Writes the reference pages of docs/ from the code; `make docs` runs it, a test compares."""

from __future__ import annotations

import inspect
import re
import types
import typing
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel

from rai_assets.metrics.definitions import DEFINITIONS
from rai_assets.use_case.config import UseCase
from rai_assets_tests.metrics import published

FOLDER = Path(__file__).parent
_WORDS: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}

DEFINITIONS_HEAD = """\
# Definitions

A number is published with the id of its formula. Two numbers compare only if their ids are equal; a changed formula
gets a new version. All rows, a group, a cohort and a split are coordinates of a number, not part of its id. This page
is written from `rai_assets/metrics/definitions.py`.

Y target, D decision, S score, w weight; tp, fp, fn, tn the weighted counts of the four cells. Better: which end is;
empty where neither is by itself.
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

PUBLISHED_HEAD = """\
# Published figures

Figures that others published about public data sets, and what became of each here. {reproduced} of {all} are computed
by the functions of this package, from the data and by the preparation that their source describes, and lie within the
tolerance; `rai_assets_tests/metrics/test_published.py` computes them.
{waiting}
This page is written from `published_figures.csv`, which lies beside the project with the
data, and from `rai_assets_tests/metrics/published.py`.
"""


def definitions_page() -> str:
    """Every definition by family."""
    families: dict[str, list[str]] = {}
    for item in DEFINITIONS.values():
        better = {None: "", True: "higher", False: "lower"}[item.higher_is_better]
        row = f"| `{item.id}` | {_cell(item.formula)} | {better} | {_cell(item.source)} |"
        families.setdefault(item.family, []).append(row)
    parts = [DEFINITIONS_HEAD]
    for family, rows in families.items():
        parts.append(
            f"\n## {family.capitalize()}\n\n| id | formula | better | source |\n|:--|:--|:--|:--|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "".join(parts)


def declaration_page() -> str:
    """Every setting with its type, default and meaning, outermost first."""
    parts = [DECLARATION_HEAD]
    for model, places in _sections().items():
        summary, meanings = _docstring(model)
        rows = []
        for name, field in model.model_fields.items():
            default = (
                "required" if field.is_required() else _cell(_default(field.get_default(call_default_factory=True)))
            )
            meaning = field.description or meanings.get(name, "")
            rows.append(f"| `{name}` | {_cell(_type(field.annotation))} | {default} | {_cell(meaning)} |")
        parts.append(
            f"\n## {_title(model, places)}\n\n{summary}\n\n| key | type | default | meaning |\n|:--|:--|:--|:--|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "".join(parts)


def _sections() -> dict[type[BaseModel], list[str]]:
    """{settings class: the places in the declaration that it is for}, outermost first."""
    found: dict[type[BaseModel], list[str]] = {UseCase: []}
    waiting = [(UseCase, "")]
    while waiting:
        model, above = waiting.pop(0)
        for name, field in model.model_fields.items():
            for inner in _models(field.annotation):
                if inner not in found:
                    waiting.append((inner, f"{above}{name}: "))
                found.setdefault(inner, []).append(f"`{above}{name}`")
    return found


def _title(model: type[BaseModel], places: list[str]) -> str:
    kind = model.model_fields.get("type")
    of_type = f", `type: {typing.get_args(kind.annotation)[0]}`" if kind is not None and kind.is_required() else ""
    return (", ".join(places) or "The use case") + of_type


def published_page() -> str:
    """Every published figure by data set and source, with the definition that gives it or what it waits for."""
    known = published.rows()
    parts = [PUBLISHED_HEAD.format(reproduced=len(published.REPRODUCED), waiting=_waiting(), all=len(known))]
    for (name, source), figures in groupby(known.values(), lambda row: (row["dataset"], row["source"])):
        parts.append(f"\n## {name}: {source}\n\n")
        parts.append("| id | preparation | metric | group | published | tolerance | here |\n")
        parts.append("|:--|:--|:--|:--|--:|--:|:--|\n")
        above = None
        for row in figures:
            prepared = "″" if row["preprocessing"] == above else row["preprocessing"]
            above = row["preprocessing"]
            words = [_cell(text) for text in (row["id"], prepared, row["metric"], row["group"])]
            numbers = [repr(float(row[field])).removesuffix(".0") for field in ("published", "tolerance")]
            parts.append(f"| {' | '.join([*words, *numbers, _here(row['id'])])} |\n")
    return "".join(parts)


def _waiting() -> str:
    rest = len(published.WAITING)
    words = "The other one waits" if rest == 1 else f"The other {rest} wait"
    return f"{words} for something that the package does not do yet." if rest else ""


def _here(figure: str) -> str:
    known = published.REPRODUCED.get(figure)
    return f"waits for {published.WAITING[figure]}" if known is None else known.how


def _docstring(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """What a settings class is, and the meaning of each of its settings, those of its bases too."""
    summary, _, attributes = (inspect.getdoc(model) or "").partition("Attributes:")
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE)
    above = [_docstring(base)[1] for base in model.__bases__ if issubclass(base, BaseModel) and base is not BaseModel]
    meanings = {name: meaning for found in above for name, meaning in found.items()}
    return " ".join(summary.split()), meanings | {name: " ".join(meaning.split()) for name, meaning in entries}


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
if published.rows():
    PAGES["published_figures.md"] = published_page  # elsewhere the page stays as it is

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
