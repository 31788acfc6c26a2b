"""One audit as a single HTML file: offline, without script, readable on paper and on a phone."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from rai_assets.charts.text import cut
from rai_assets.report.audit import Audit
from rai_assets.report.view import view_of

_TEXT_LIMIT = 3_000


def render(audit: Audit) -> str:
    """The report: what was asked, what was found, and what it rests on.

    Every string of the audit is literal text in it: escaped, with characters that cannot be seen written out.
    The file carries its charts, asks for nothing from the network, and the same audit gives the same bytes.

    Raises:
        InputRefused: A chart of the audit cannot be drawn.
    """
    style = _packaged("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(**view_of(audit), style=Markup(style), style_digest=digest)  # noqa: S704


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_literal, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cut"] = cut
    return environment.from_string(_packaged("template.html.j2"))


def _literal(value: Any) -> Any:
    """What an expression of the template puts on the page: a foreign string is visible, and ends somewhere."""
    if value is None:
        return ""
    return cut(value, _TEXT_LIMIT) if type(value) is str else value


def _packaged(name: str) -> str:
    return files("rai_assets.report").joinpath(name).read_text(encoding="utf-8")
