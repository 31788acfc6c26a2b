"""A data set's declaration as commented YAML that reads back to exactly the same settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rai_assets.data.media.settings import FACTS
from rai_assets.data.settings import ColumnSettings, DatasetSettings

_WIDTH = 116
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[-.][A-Za-z0-9_]+)*")
# Words that some YAML reader takes for a truth value, a null or a number.
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"}
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

_COMMENTS = {
    "files": "Relative paths start at the folder of this file. `split: train | calibration | test` keeps a file apart.",
    "header": "The files have no line of column names; `columns` below names all of them in order.",
    "comment": "Lines that begin with this are skipped.",
    "trim": "Blanks around values are no part of them.",
    "missing": "Only these spellings mean a missing value.",
    "aliases": "Spellings in the files, and what they mean.",
    "media": "Every file is told in columns media_kind, media_width, ...; name one below to give it another role.",
    "split": "by: file | fraction | time (test_from: ...) | column (values: {test: [...]}).",
    "columns": (
        "role: target | feature | sensitive | identifier | timestamp | weight | prediction | score | context |\n"
        "ignored; feature when left out. A model sees a sensitive column only with `role: [feature, sensitive]`.\n"
        "dtype: number | integer | category | boolean | text | timestamp.\n"
        "Rules: allowed, minimum, maximum, and `missing: allowed` (refused when left out)."
    ),
}


def dataset_yaml(settings: DatasetSettings, indent: int = 0) -> str:
    """The body of `dataset:` in YAML, commented.

    Strings are quoted wherever a reader could take them for anything else, so that YAML 1.1 and 1.2 agree.

    Args:
        settings: The declaration.
        indent: Blanks before every line.

    Returns:
        Lines joined by newlines, without one at the end.
    """
    fields = settings.model_dump(mode="json", exclude_defaults=True, exclude={"files", "columns", "aliases"})
    lines = [*_commented("files"), "files:"]
    lines += [f"  - {_flow(file.model_dump(mode='json', exclude_defaults=True))}" for file in settings.files]
    for name in ("format", "header", "separator", "encoding", "comment", "trim", "missing", "media", "split"):
        if name in fields:
            lines += [*_commented(name), f"{name}: {_flow(fields[name])}"]
    if settings.aliases:
        lines += [*_commented("aliases"), "aliases:"]
        for column, aliases in settings.aliases.items():
            lines += _entry(column, aliases, 2)
    lines += ["", *_commented("columns"), "columns:"]
    for column, declared in settings.columns.items():
        if settings.media is None or FACTS.get(column) != declared:
            lines += _entry(column, _column(declared), 2)
    return "\n".join(" " * indent + line if line else "" for line in lines)


def _column(column: ColumnSettings) -> dict[str, Any]:
    fields = column.model_dump(mode="json", exclude_defaults=True)
    first = {"role": fields.get("role"), "dtype": column.dtype if column.roles != ("ignored",) else None}
    return {name: value for name, value in (first | fields).items() if value is not None}


def _commented(name: str) -> list[str]:
    return [f"# {line}" for line in _COMMENTS.get(name, "").splitlines()]


def _entry(key: str, value: Mapping[str, Any], indent: int) -> list[str]:
    """A key with a mapping: on one line if it fits, else a line for each field, long lists on several."""
    margin = " " * indent
    line = f"{margin}{_key(key)}: {_flow(value)}"
    if len(line) <= _WIDTH:
        return [line]
    lines = [f"{margin}{_key(key)}:"]
    for name, item in value.items():
        whole = f"{margin}  {_key(name)}: {_flow(item)}"
        if len(whole) <= _WIDTH or not isinstance(item, list):
            lines.append(whole)
        else:
            lines += [f"{margin}  {_key(name)}:", *(f"{margin}    {part}" for part in _wrapped(item))]
    return lines


def _wrapped(items: Iterable[Any]) -> list[str]:
    """A list over several lines."""
    lines, line = [], "["
    for text in map(_flow, items):
        if len(line) + len(text) > _WIDTH - 20 and line.strip() not in ("", "["):
            lines.append(line.rstrip())
            line = " "
        line += f"{text}, "
    return [*lines, line.removesuffix(", ") + "]"]


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return str(value) if isinstance(value, int) else _string(value)


def _number(value: float) -> str:
    """A float with a point, without which YAML 1.1 takes an exponent for text; whole ones without either."""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    mantissa, exponent, power = repr(value).partition("e")
    if not exponent:
        return mantissa
    sign = power if power[0] in "+-" else f"+{power}"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}"


def _string(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED and len(text) <= 80:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _key(text: str) -> str:
    return _string(text)
