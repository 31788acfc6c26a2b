"""A report as a single HTML file: offline, without script, readable on paper and on a phone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from rai_assets.charts.text import cut
from rai_assets.report.audit import Audit
from rai_assets.report.production import ProductionReport
from rai_assets.report.production_view import production_view_of
from rai_assets.report.view import view_of

_TEXT_LIMIT = 3_000


def render(audit: Audit) -> str:
    """The report: what was asked, what was found, and what it rests on.

    Every string of the audit is literal text in it: escaped, with characters that cannot be seen written out.
    The file carries its charts, asks for nothing from the network, and the same audit gives the same bytes.

    Raises:
        InputRefused: A chart of the audit cannot be drawn.
    """
    return _page("audit.html.j2", view_of(audit))


def render_production(report: ProductionReport) -> str:
    """The report on a window of production: alarms, their causes, what to do, and every measure over the batches.

    Made like the report of an audit.

    Raises:
        InputRefused: A chart cannot be drawn.
    """
    return _page("production.html.j2", production_view_of(report))


def _page(template: str, view: Mapping[str, Any]) -> str:
    style = _packaged("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _templates().get_template(template).render(**view, style=Markup(style), style_digest=digest)  # noqa: S704


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_literal,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cut"] = cut
    return environment


def _literal(value: Any) -> Any:
    """What an expression of the template puts on the page: a foreign string is visible, and ends somewhere."""
    if value is None:
        return ""
    return cut(value, _TEXT_LIMIT) if type(value) is str else value


def _packaged(name: str) -> str:
    return files("rai_assets.report").joinpath(name).read_text(encoding="utf-8")
