"""Charts as plain Vega-Lite specifications, their static SVG, and small bars for a text table.

Every helper takes lists of small dicts whose keys are documented, and returns a dict that can be stored as JSON.
User strings are values or titles in it, never field names, expressions or addresses.
"""

from rai_assets.charts.bars import text_bars
from rai_assets.charts.curves import histogram, lines
from rai_assets.charts.intervals import grouped_interval_bars, interval_bars
from rai_assets.charts.matrix import heat_map
from rai_assets.charts.ranking import horizontal_bars
from rai_assets.charts.svg import to_svg
from rai_assets.charts.trend import trend

__all__ = [
    "grouped_interval_bars",
    "heat_map",
    "histogram",
    "horizontal_bars",
    "interval_bars",
    "lines",
    "text_bars",
    "to_svg",
    "trend",
]
