"""How Sphinx makes the site of these pages: `make docs`, then open `build/site/index.html`.

The pages are plain Markdown that also reads well where it lies. Their order is that of the links in
`index.md`: each of its headings becomes a part of the side bar, each link of its lists a page.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
_FONTS = DOCS.parent / "src/thingtank/web/workbench/static/workbench/vendor/inter"

project = "Thing Tank"
author = "the makers of Thing Tank"
extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}

# GitHub's names for headings, so that a link to one works in both places.
myst_heading_anchors = 4
highlight_language = "none"
smartquotes = False  # what stands in a page is to be typed as it stands
copybutton_exclude = ".linenos, .gp"

pygments_dark_style = "a11y-dark"
html_theme = "furo"
html_title = "Thing Tank"
html_static_path = ["_static", str(_FONTS)]
html_css_files = ["site.css"]
html_js_files = [("tables.js", {"defer": "defer"})]
html_logo = "images/logo.svg"
html_favicon = "images/logo.svg"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_search_scorer = str(DOCS / "_static/search_order.js")
html_show_search_summary = (
    False  # _static/search_passages.js does it, also for pages opened as files
)
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "font-stack": 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
        "color-brand-primary": "#0b6b60",
        "color-brand-content": "#0b6b60",
        "color-brand-visited": "#0b6b60",
    },
    "dark_css_variables": {
        "color-brand-primary": "#4fc3b5",
        "color-brand-content": "#4fc3b5",
        "color-brand-visited": "#4fc3b5",
    },
}

_PART = re.compile(r"^## (?P<title>.+)\n(?P<text>(?:(?!## ).*\n)*)", re.MULTILINE)
_PAGE = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<path>[^):]+)\.md\)", re.MULTILINE)


def navigation(index: str, names: Iterable[str]) -> str:
    """The side bar that follows from the first page, as directives of Sphinx.

    Args:
        index: the Markdown of `index.md`: headings of the second level, lists of links below them.
        names: all pages, such as `howto/keep-less`. One that `index.md` does not name comes last in
            the first part that has pages of its folder.

    Returns:
        A hidden toctree for each heading that has such a list.
    """
    parts: dict[str, list[str]] = {}
    part_of: dict[str, str] = {}
    left = dict.fromkeys(sorted(names))
    for part in _PART.finditer(index):
        for page in _PAGE.finditer(part["text"]):
            parts.setdefault(part["title"], []).append(f"{page['title']} <{page['path']}>")
            part_of.setdefault(_folder(page["path"]), part["title"])
            left.pop(page["path"], None)
    for name in left:
        folder = _folder(name)
        parts.setdefault(part_of.get(folder, folder.capitalize()), []).append(name)
    trees = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"])
        for title, pages in parts.items()
    ]
    return "\n\n".join(trees)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def changelog() -> str:
    """The list of changes, its links as from this folder."""
    return (DOCS.parent / "CHANGELOG.md").read_text().replace("](docs/", "](")


def sections(page: nodes.document) -> dict[str, str]:
    """What is written in each section of a page, its own words only.

    Returns:
        Texts on one line by the section's anchor, in order.
    """
    texts = {}
    for section in page.findall(nodes.section):
        own = [child.astext() for child in section if not isinstance(child, nodes.section)]
        texts[section["ids"][0]] = " ".join(" ".join(own).split())
    return texts


def _read_anew(*_: object) -> list[str]:
    """Pages that follow from other files than their own."""
    return ["index", "changelog"]


def _read_source(app: Sphinx, name: str, source: list[str]) -> None:
    assert app.env is not None
    if name == "index":
        names = app.env.found_docs - {"index"}
        source[0] += "\n" + navigation(source[0], names) + "\n"
    elif name == "changelog":
        source[0] = changelog()


def _keep_texts(app: Sphinx, error: Exception | None) -> None:
    """Write what is shown below the results of a search, as a script: files can load that."""
    if error is not None:
        return
    assert app.env is not None
    names = sorted(app.env.found_docs)
    texts = {name: sections(app.env.get_doctree(name)) for name in names}
    path = Path(app.outdir) / "_static" / "page_texts.js"
    path.write_text(f"window.PAGE_TEXTS = {json.dumps(texts, ensure_ascii=False)};\n")


def _finish_page(app: Sphinx, page: str, _: str, context: dict[str, Any], *__: object) -> None:
    if page == "search":
        app.add_js_file("page_texts.js")
        app.add_js_file("search_passages.js", loading_method="defer")
    # A heading by its role needs its level, for who hears the page.
    bar = str(context["furo_navigation_tree"])
    context["furo_navigation_tree"] = bar.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Sphinx) -> None:
    """Tell Sphinx what is done to the pages before they are read, and beside them."""
    app.connect("env-get-outdated", _read_anew)
    app.connect("source-read", _read_source)
    app.connect("html-page-context", _finish_page, priority=900)  # the theme's is before
    app.connect("build-finished", _keep_texts)
