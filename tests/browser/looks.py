"""How a page looks: in both themes, on a desk and on a phone, it fits and axe can read it.

for theme, size in LOADS:
    dress(page, theme, size)
    page.goto(address)
    look_at(page, "account", theme, size)
"""

from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tests.browser.conftest import screenshot

Theme = Literal["light", "dark"]

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
OTHER_THEME: dict[Theme, Theme] = {"light": "dark", "dark": "light"}
# Such a page is loaded in each theme and in each size, and then takes the other theme, as it does
# when the sun sets. To load it anew for all four would take twice the time.
LOADS: tuple[tuple[Theme, str], ...] = (("light", "desktop"), ("dark", "phone"))
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Without details of what passes, which are half of the time.
RULES = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
NOTHING_FADES = """() => document.getAnimations().every(
    (one) => one.playState !== "running" || one.effect.getComputedTiming().iterations === Infinity
)"""
# Until charts and maps have the colours of another theme as well.
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100))))"  # fmt: skip


def check_readable(page: Page) -> None:
    """No rule of WCAG 2.2 A and AA that a machine can judge is broken."""
    page.wait_for_load_state()  # without its style sheet it is not the page that people see
    page.wait_for_function(NOTHING_FADES)  # else a colour is read on its way
    is_there = page.evaluate("'axe' in window")  # half a megabyte, which serves a document again
    found = (Axe(axe_script="") if is_there else Axe()).run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def check_fits(page: Page) -> None:
    """Nothing is wider than the window."""
    page.wait_for_load_state()
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"the page is {width} px too wide"


def dress(page: Page, theme: Theme, size: str) -> None:
    """Give a page a theme and a size."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)


def look_at(page: Page, name: str, theme: Theme, size: str) -> None:
    """Check a page as it was dressed and loaded, and in the other theme; keep both screenshots."""
    for shown in (theme, OTHER_THEME[theme]):
        if shown != theme:
            dress(page, shown, size)
            page.evaluate(TWO_FRAMES)
        check_fits(page)
        check_readable(page)
        screenshot(page, f"{name}-{shown}-{size}")
