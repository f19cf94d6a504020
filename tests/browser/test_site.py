"""The site that `make docs` makes: whole, strict, and searched without a server."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BUILD_S_MAX = 180  # alone it takes five
pytestmark = pytest.mark.timeout(240)
# Axe would read style sheets anew, which a browser forbids to files.
RULES = {"preload": False, "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
LOADED = re.compile(r'<(?:script|img|source|iframe)[^>]* src="([^"]*)"|<link[^>]* href="([^"]*)"')


def build(docs: Path, site: Path) -> str:
    """Make a site as the Makefile does; what Sphinx has complained of."""
    command = [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "-d", f"{site}-pages"]
    done = subprocess.run(
        [*command, docs, site], capture_output=True, text=True, timeout=BUILD_S_MAX, check=False
    )
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by who needs it first; all workers of a run share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "docs-site"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.with_suffix(".done").exists():
            assert build(DOCS, folder) == ""
            folder.with_suffix(".done").touch()
    return folder


def test_the_makefile_builds_it_as_these_tests_do() -> None:
    assert (
        "sphinx-build -qW --keep-going -d build/site-pages docs build/site"
        in (ROOT / "Makefile").read_text()
    )


def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")}
    assert {page for page in pages if not (site / page).with_suffix(".html").exists()} == set()
    bar = (site / "index.html").read_text().partition('class="sidebar-tree"')[2]
    assert {page for page in pages if f'href="{page}.html"' not in bar} == {Path("index")}
    loaded = {
        (path.name, url)
        for path in site.rglob("*.html")
        for url in map("".join, LOADED.findall(path.read_text()))
        if re.match(r"(?!#|data:)(\w+:)?//|\w+:", url)
    }
    assert loaded == set()
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\W*(?:https?:)?//", styles) == []


def test_a_link_or_an_anchor_that_leads_nowhere_fails(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("conf.py", "_static", "images"):
        source = DOCS / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, docs / name)
    fonts = "src/thingtank/web/workbench/static/workbench/vendor/inter"
    (tmp_path / fonts).mkdir(parents=True)
    (docs / "index.md").write_text("# A\n\n## B\n\n- [One](one.md)\n\n[no page](nowhere.md)\n")
    (docs / "one.md").write_text("# One\n\n[here](#one), [no anchor](index.md#nowhere)\n")
    complaints = build(docs, tmp_path / "site")
    assert len(complaints.splitlines()) == 2, complaints
    assert "nowhere.md" in complaints
    assert "'nowhere'" in complaints


def test_it_is_read_and_searched_as_files(site: Path, open_browser: OpenBrowser) -> None:
    page = open_browser()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.get_by_placeholder("Search").fill("retention")
    page.keyboard.press("Enter")
    found = page.locator("ul.search li", has=page.get_by_role("link", name="Keep less"))
    expect(found.locator("mark").first).to_have_text("retention")
    expect(page.locator("ul.search li a").last).to_have_text("Changelog")  # what is now comes first
    screenshot(page, "docs-search")
    found.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Keep less", level=1)).to_be_visible()
    copy = page.get_by_role("button", name="Copy").first
    copy.focus()
    expect(copy).to_be_visible()
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []


@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_pages_fit_and_are_readable(
    site: Path, open_browser: OpenBrowser, theme: str, size: str
) -> None:
    page = open_browser(*SIZES[size], color_scheme=theme)
    for name in ("index", "start/the-book", "explain/architecture"):
        page.goto((site / f"{name}.html").as_uri())
        check_fits(page)
        screenshot(page, f"docs-{Path(name).name}-{theme}-{size}")
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
