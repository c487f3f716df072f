"""The scripts that page and report draw their charts with."""

from pathlib import Path

import plotly

PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
"""The library, as its Python package brings it: nothing is fetched."""

CHARTS = Path(__file__).with_name("charts.js")
"""Ours: the arguments of Plotly for each chart."""
