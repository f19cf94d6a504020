"""How a graph is asked to look: the parameters of a datastream's `.png`.

Source: Xively API v2, reading a single datastream, "PNG". Sizes, colours and bounds that it leaves
open are choices.
"""

import math
import re
from typing import Literal

import msgspec

from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.protocols.xively.query import Parameters, first, zone_of

Scale = Literal["auto", "datastream", "manual"]

SIDE_PX_MIN = 10
SIDE_PX_MAX = 2000
STROKE_PX_MAX = 50.0
TEXT_CHARS_MAX = 255
NUMBER_MAX = 1e300
_SCALES: tuple[Scale, ...] = ("auto", "datastream", "manual")
_TRUTHS = {"true": True, "1": True, "yes": True, "t": True}
_TRUTHS |= {"false": False, "0": False, "no": False, "f": False}
_COLOUR = re.compile(r"#?([0-9a-f]{6}|[0-9a-f]{3})\Z", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})(e[+-]?\d{1,4})?\Z", re.I | re.A)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class GraphOptions(msgspec.Struct, frozen=True):
    """A graph's looks.

    Attributes:
        width_px, height_px: `w` and `h`.
        colour: `c`, of the line; six hexadecimal digits, lower case.
        title, legend: `t` and `l`; one line each.
        stroke_px: `s`, width of the line.
        with_labels: `b`, numbers and times at the axes.
        with_grid: `g`.
        scale: what the vertical axis spans: the values shown, all values since the datastream's
            extremes were reset, or `minimum` to `maximum`.
        timezone: as asked for; blank for UTC.
    """

    width_px: int = 600
    height_px: int = 400
    colour: str = "0b8a7b"
    title: str = ""
    legend: str = ""
    stroke_px: float = 2.0
    with_labels: bool = True
    with_grid: bool = True
    scale: Scale = "auto"
    minimum: float | None = None
    maximum: float | None = None
    timezone: str = ""


DEFAULT = GraphOptions()


def parse_graph_options(parameters: Parameters) -> GraphOptions:
    """Read a graph's looks; what is not asked for has its default.

    Raises:
        MalformedQuery: a parameter cannot be read, or is beyond its bounds.
    """
    zone_of(parameters)  # raises when there is no such zone
    scale = _scale(parameters)
    minimum, maximum = _number(parameters, "min"), _number(parameters, "max")
    if scale != "manual":
        minimum = maximum = None
    elif minimum is None or maximum is None:
        raise MalformedQuery("scale=manual needs min and max")
    elif minimum >= maximum:
        raise MalformedQuery("min must be less than max")
    return GraphOptions(
        width_px=_side(parameters, "w", DEFAULT.width_px),
        height_px=_side(parameters, "h", DEFAULT.height_px),
        colour=_colour(parameters),
        title=_text(parameters, "t"),
        legend=_text(parameters, "l"),
        stroke_px=_stroke(parameters),
        with_labels=_truth(parameters, "b", DEFAULT.with_labels),
        with_grid=_truth(parameters, "g", DEFAULT.with_grid),
        scale=scale,
        minimum=minimum,
        maximum=maximum,
        timezone=first(parameters, "timezone"),
    )


def _side(parameters: Parameters, name: str, default: int) -> int:
    text = first(parameters, name).strip()
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 9:
        side_px = int(text)
        if SIDE_PX_MIN <= side_px <= SIDE_PX_MAX:
            return side_px
    raise MalformedQuery(
        f"{name} must be a whole number of pixels from {SIDE_PX_MIN} to {SIDE_PX_MAX}"
    )


def _colour(parameters: Parameters) -> str:
    text = first(parameters, "c").strip()
    if not text:
        return DEFAULT.colour
    match = _COLOUR.match(text)
    if match is None:
        raise MalformedQuery("c must be a colour of six hexadecimal digits, such as 0b8a7b")
    digits = match[1].lower()
    return digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)


def _stroke(parameters: Parameters) -> float:
    stroke_px = _number(parameters, "s")
    if stroke_px is None:
        return DEFAULT.stroke_px
    if not 0 < stroke_px <= STROKE_PX_MAX:
        raise MalformedQuery(f"s must be a number of pixels, more than 0 and up to {STROKE_PX_MAX}")
    return stroke_px


def _scale(parameters: Parameters) -> Scale:
    text = first(parameters, "scale").strip().lower()
    if not text:
        # Both bounds without a scale can only be meant as one.
        both = first(parameters, "min") and first(parameters, "max")
        return "manual" if both else "auto"
    for scale in _SCALES:
        if text == scale:
            return scale
    raise MalformedQuery(f"scale must be one of {', '.join(_SCALES)}")


def _truth(parameters: Parameters, name: str, default: bool) -> bool:
    text = first(parameters, name).strip().lower()
    if not text:
        return default
    truth = _TRUTHS.get(text)
    if truth is None:
        raise MalformedQuery(f"{name} must be true or false")
    return truth


def _number(parameters: Parameters, name: str) -> float | None:
    text = first(parameters, name).strip()
    if not text:
        return None
    number = float(text) if _NUMBER.match(text) else math.inf
    if not abs(number) <= NUMBER_MAX:
        raise MalformedQuery(f"{name} must be a number")
    return number


def _text(parameters: Parameters, name: str) -> str:
    text = _CONTROLS.sub(" ", first(parameters, name)).strip()
    if len(text) > TEXT_CHARS_MAX:
        raise MalformedQuery(f"{name} has {len(text)} characters; {TEXT_CHARS_MAX} are allowed")
    return text
