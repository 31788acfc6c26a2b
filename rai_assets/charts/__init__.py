"""Charts as Vega-Lite specifications, and their static forms."""
