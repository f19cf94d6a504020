"""Documents say what is: links lead somewhere, settings are explained, make words exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_generated_pages_are_current() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_every_setting_is_explained() -> None:
    rows = re.findall(
        r"^\| `(\S+)` \| .* \| (.*) \|$", (ROOT / "docs/reference/settings.md").read_text(), re.M
    )
    assert len(rows) > 20
    assert [name for name, meaning in rows if not meaning] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_words_exist(page: Path) -> None:
    words = set(re.findall(r"`make ([a-z]+)", page.read_text()))
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert words <= known


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "docs/explain/dependencies.md").read_text().lower()
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=\[]", item)[0] for item in project["dependencies"]]
    assert [name for name in names if name.lower() not in text] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/howto/*.md")), ids=lambda page: page.stem)
def test_who_wants_to_do_something_need_not_read_the_source(page: Path) -> None:
    assert re.findall(r"\bsrc/thingtank\S*", page.read_text()) == []


def test_what_is_said_of_others_has_its_source() -> None:
    text, _, sources = (ROOT / "docs/explain/compared.md").read_text().partition("\n## Sources\n")
    named = [int(number) for number in re.findall(r"^(\d+)\. .*<https://", sources, re.M)]
    assert named == list(range(1, len(named) + 1))
    assert {int(number) for number in re.findall(r"\[(\d+)\]", text)} == set(named)


def test_the_sources_that_docstrings_name_are_told() -> None:
    page = (ROOT / "docs/reference/sources.md").read_text()
    names = ("OASIS", "the WAMP", *re.findall(r"^\| ([^|]+?) \|", page, re.M)[2:])
    told = [
        source
        for path in (ROOT / "src").rglob("*.py")
        for source in re.findall(r"^ *Source: (.*)$", path.read_text(), re.M)
    ]
    assert len(told) > 150
    assert [source for source in told if not source.startswith(names)] == []


def test_the_architecture_names_every_package_and_its_layers() -> None:
    text = (ROOT / "docs/explain/architecture.md").read_text()
    packages = {path.parent.name for path in ROOT.glob("src/thingtank/*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/` \|", text, re.M)) == packages
    (layers,) = re.findall(r"^cli · client → .*$", text, re.M)
    assert set(re.findall(r"\w+", layers)) == packages
