"""How numbers and foreign strings are written for people: one place, used by charts, reports and tables."""

from __future__ import annotations

import math
import re
import unicodedata

# Control, format (zero width, right-to-left override), surrogate, private use, unassigned, line and paragraph ends.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_MARKDOWN_TARGET = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKDOWN_SYNTAX = re.compile(r"([\\*_{}\[\]()<>#~!$&])")
_ADDRESS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}):(?=//)|\b(www)(?=\.)")
_LEAST_P_VALUE = "0.0001"


def visible(text: object) -> str:
    """The text with every character that cannot be seen written as `[U+202E]`.

    Zero-width and direction characters are included: two group names that look alike must not be taken for one.
    """
    string = str(text)
    if string.isascii() and string.isprintable():
        return string
    return "".join(
        f"[U+{ord(character):04X}]" if unicodedata.category(character) in _UNSEEN else character for character in string
    )


def cut(text: object, limit: int) -> str:
    """The visible text; a longer one is cut at `limit` characters and its full length is said."""
    # A hostile string of many megabytes is not walked to its end.
    string = str(text)
    shown = visible(string[: limit + 1])
    if len(string) <= limit and len(shown) <= limit:
        return shown
    return f"{shown[:limit]}… ({len(string):,} characters)"


def decimal(value: float) -> str:
    """A rate, score or measure with three significant digits: `0.124`, `0.0123`, `1.00`, `12,346`."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}") if abs(value) < 1000 else float(round(value))
    magnitude = math.floor(math.log10(abs(rounded)))
    if magnitude < -4:
        return f"{rounded:.2e}".replace("-", "−")
    return f"{rounded:,.{max(0, 2 - magnitude)}f}".replace("-", "−")


def count(value: float) -> str:
    """A number of rows: `48,842`."""
    return f"{round(value):,}".replace("-", "−")


def how_many(number: int, one: str, many: str = "") -> str:
    """A count and what is counted: `1 row`, `48,842 batches`, `2 files are`; `many` is the plural when left out."""
    plural = many or (f"{one}es" if one.endswith("ch") else f"{one}s")
    return f"{count(number)} {one if number == 1 else plural}"


def measure(value: float, *, counted: bool = False) -> str:
    """A value as `count` or `decimal` writes it."""
    return count(value) if counted else decimal(value)


def chance(p_value: float, *, named: bool = False) -> str:
    """A p-value: `0.0123`, or `< 0.0001`; `named` as `p = 0.0123` and `p < 0.0001`. It is never written as 0."""
    below = p_value < float(_LEAST_P_VALUE)
    shown = f"< {_LEAST_P_VALUE}" if below else decimal(p_value)
    return shown if not named else f"p {shown}" if below else f"p = {shown}"


def interval(low: float | None, high: float | None, *, counted: bool = False) -> str:
    """The bounds of an interval as `0.112 to 0.137`; empty where there is none."""
    if low is None and high is None:
        return ""
    if low is None or high is None:
        word, bound = ("at least", low) if high is None else ("at most", high)
        return f"{word} {measure(bound or 0.0, counted=counted)}"
    return f"{measure(low, counted=counted)} to {measure(high, counted=counted)}"


def markdown(text: object, limit: int = 80) -> str:
    """A foreign string as literal text for Markdown: no image, link, code, table cell or HTML comes out of it."""
    string = " ".join(str(text)[:2_000].split())
    string = _MARKDOWN_TARGET.sub(r"\1", string)
    string = _ADDRESS.sub(lambda match: f"{match[1]}: " if match[1] else f"{match[2]} ", string)
    return _MARKDOWN_SYNTAX.sub(r"\\\1", cut(string.replace("`", "'").replace("|", "¦"), limit))
