"""Colours, fonts and sizes of graphs; the workbench's, in its light theme."""

import logging
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager

from thingtank.protocols.xively.graph_options import GraphOptions

DPI = 100
POINT_PX = DPI / 72
LABELLED_PX_MIN = (110, 70)  # smaller graphs have room for the line only
TEXT, MUTED, LINE, GRID, GROUND = "#0e1f1e", "#536865", "#c9d6d3", "#e8eeed", "#ffffff"

_FONTS = Path(__file__).parent / "fonts"
for _font in ("Inter-Regular.ttf", "Inter-SemiBold.ttf"):
    font_manager.fontManager.addfont(_FONTS / _font)
# It says which weights a fallback font lacks, for each picture.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
mpl.rcParams.update(
    {
        "font.family": ["Inter", "DejaVu Sans"],  # the second for scripts that Inter lacks here
        "text.parse_math": False,  # `$` in a title is a dollar
        "text.hinting": "none",  # so that letters keep their distances at these sizes
        "axes.unicode_minus": True,
        "agg.path.chunksize": 20_000,
        "path.simplify": True,
    }
)


def size_pt_of(options: GraphOptions) -> float:
    """Letters grow a little with the picture."""
    shorter_px = min(options.width_px, options.height_px * 1.5)
    return float(np.clip(7.0 + shorter_px / 300, 7.0, 13.0))
