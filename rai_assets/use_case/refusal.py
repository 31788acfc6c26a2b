"""What is wrong with a declaration, in the user's words: every place, what is wrong there, and what to change."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from rai_assets.errors import DeclarationError
from rai_assets.use_case.config import UseCase

Path_ = tuple[str | int, ...]

_MOST = 10  # problems that are told at once
_WRONG_TYPE = {
    "string_type": ("is no text", "put `{key}` in quotes"),
    "list_type": ("is no list", "write `{key}` as a list, [...]"),
    "dict_type": ("has no keys of its own", "write the keys of `{key}` below it"),
    "model_attributes_type": ("has no keys of its own", "write the keys of `{key}` below it"),
    "model_type": ("has no keys of its own", "write the keys of `{key}` below it"),
    "float_type": ("is no number", "write `{key}` as a number without quotes"),
    "int_type": ("is no whole number", "write `{key}` as a whole number without quotes"),
    "finite_number": ("is no finite number", "write `{key}` as a number"),
    "too_short": ("is empty", "write something into `{key}`, or leave it out"),
    "string_too_short": ("is empty", "write something into `{key}`, or leave it out"),
    "bool_type": ("is neither true nor false", "write `{key}` as true or false"),
}


def refusal(error: ValidationError, where: Callable[[Path_], str], source: str = "") -> DeclarationError:
    """One error from all that was found.

    Args:
        error: What pydantic found.
        where: Gives file and line of a place in the declaration.
        source: The line of Python that made the faulty part, where there is one.
    """
    start = {model.__name__: model for model in _models(UseCase)}.get(error.title, UseCase)
    sentences: dict[Path_, str] = {}
    fixes = []
    for item in error.errors(include_url=False)[:_MOST]:
        context = item.get("ctx", {})
        place, model = _place((*item["loc"], *context.get("place", ())), start)
        if place in sentences:
            continue  # the other ways in which the same value could have been meant
        name = ".".join(map(str, place)) or ("the use case" if start is UseCase else start.__name__)
        said, fix = _told(item, place, model)
        sentences[place] = f"{where(place)}: {name}: {said}" + (f", in `{source}`" if source else "")
        fixes.append(fix or f"change `{name}` there")
    return DeclarationError("\n".join(sentences.values()), fix="; ".join(dict.fromkeys(fixes)))


def _told(item: Any, place: Path_, model: type[BaseModel] | None) -> tuple[str, str]:
    """What is wrong, and what to change; the latter is empty where the former says it."""
    kind, value = item["type"], item["input"]
    key = str(place[-1]) if place else ""
    if kind == "missing":
        return "is missing", f"add `{key}`"
    if kind == "extra_forbidden":
        keys = list(model.model_fields) if model is not None else []
        near = get_close_matches(key, keys, 1)
        return (
            "is not known here",
            f"write `{near[0]}` for `{key}`" if near else f"the keys there are {', '.join(keys)}",
        )
    if kind == "literal_error":
        choices = item["ctx"]["expected"]
        near = get_close_matches(str(value), choices.replace(" or ", ", ").replace("'", "").split(", "), 1, 0.5)
        return f"is {value!r:.80}, and may be {choices}", f"write {near[0]!r}" if near else f"choose one for `{key}`"
    if kind == "union_tag_not_found":
        return f"has no `{item['ctx']['discriminator'].strip(chr(39))}`", "add it, e.g. `type: webhook`"
    if kind == "union_tag_invalid":
        context = item["ctx"]
        return f"has the type {context['tag']!r:.80}, and may have {context['expected_tags']}", "choose one of these"
    if kind in _WRONG_TYPE:
        said, fix = _WRONG_TYPE[kind]
        return said, fix.format(key=key)
    if kind == "string_pattern_mismatch":
        return f"is {value!r:.80}, which does not have the form {item['ctx']['pattern']}", ""
    message = item["msg"].removeprefix("Value error, ")
    return message.replace("Input should be", f"is {value!r:.80} and should be"), ""


def _place(location: Path_, start: type[BaseModel]) -> tuple[Path_, type[BaseModel] | None]:
    """A location as the user sees it, without pydantic's names of alternatives, and the model its last key is of."""
    place: list[str | int] = []
    model: type[BaseModel] | None = None
    kind: Any = start
    for part in location:
        kinds = _alternatives(kind)
        if len(kinds) > 1:  # the part says which alternative was tried
            kind = next((item for item in kinds if _is_meant(item, part)), Any)
            continue
        place.append(part)
        model, kind = _below(kinds[0], part)
    return tuple(place), model


def _is_meant(kind: Any, part: str | int) -> bool:
    """Whether an alternative is the one that a part of a location says: by its name, or by its `type`."""
    declared = getattr(kind, "model_fields", {}).get("type")
    tags = () if declared is None else typing.get_args(declared.annotation)
    return part in tags or str(part).startswith(getattr(kind, "__name__", "?"))


def _below(kind: Any, part: str | int) -> tuple[type[BaseModel] | None, Any]:
    """The model that a key is one of, and what stands under the key."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        declared = kind.model_fields.get(str(part))
        return kind, declared.annotation if declared is not None else Any
    inner = typing.get_args(kind)
    return None, inner[-1] if inner else Any


def _alternatives(kind: Any) -> list[Any]:
    """The types that a value may have, besides none at all."""
    if typing.get_origin(kind) is typing.Annotated:
        return _alternatives(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [item for item in typing.get_args(kind) if item is not type(None)]
    return [kind]


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    """A model and all that stand in it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for declared in kind.model_fields.values():
            yield from _models(declared.annotation)
    for inner in typing.get_args(kind):
        yield from _models(inner)
