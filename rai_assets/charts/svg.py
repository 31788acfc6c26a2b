"""A specification as static SVG, drawn offline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rai_assets.errors import InputRefused

_VEGA_LITE = "v6.4"
_FETCHING = {"url", "href"}


def to_svg(spec: Mapping[str, Any]) -> str:
    """The chart as an SVG document.

    Args:
        spec: A Vega-Lite 6 specification that holds its data.

    Raises:
        InputRefused: The specification names an address to fetch or to link to, or cannot be drawn.
    """
    import vl_convert

    _refuse_addresses(spec)
    text = json.dumps(spec, allow_nan=False)
    try:
        svg: str = vl_convert.vegalite_to_svg(text, vl_version=_VEGA_LITE, allowed_base_urls=[])
    except ValueError as error:
        raise InputRefused("the chart cannot be drawn", where=_title(spec), fix=str(error).splitlines()[0]) from error
    return svg


def _refuse_addresses(part: Any) -> None:
    """Walk everything but the data's rows, which are values whatever their names are."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name in _FETCHING:
                raise InputRefused(
                    f"the chart holds {name!r}", where="chart specification", fix="put the rows under data.values"
                )
            if name != "values":
                _refuse_addresses(value)
    elif isinstance(part, list | tuple):
        for value in part:
            _refuse_addresses(value)


def _title(spec: Mapping[str, Any]) -> str:
    title = spec.get("title")
    return str(title.get("text", "") if isinstance(title, Mapping) else title or "chart")[:80]
