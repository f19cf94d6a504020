"""QR codes for pages and paper."""

import segno
from django.utils.safestring import SafeString, mark_safe

# Of a QR code: how much dirt on a label it survives (M is 15 %), and the white around it that
# scanners need, in modules.
QR_ERROR = "m"
QR_BORDER = 4
# Any pattern is a valid one. Trying all eight of them takes six times as long, and 240 codes of a
# sheet would then hold the server up for seconds.
QR_MASK = 3


def qr_svg(text: str) -> SafeString:
    """A QR code as SVG without a size of its own; dark modules only."""
    code = segno.make(text, error=QR_ERROR, micro=False, mask=QR_MASK)
    svg = code.svg_inline(border=QR_BORDER, omitsize=True, svgclass=None, lineclass=None)
    return mark_safe(svg)  # noqa: S308 - made of numbers only
