"""What a page says to type is right: commands have such options, settings load, programs are Python.

Pages of `start`, and many others, have tests of their own besides, which run what they say.
"""

import ast
import json
import re
import shlex
import textwrap
from pathlib import Path

import click
import pytest

from thingtank.cli.main import main as thingtank
from thingtank.server.config import load_config

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/*.md")])
GENERATED = {"command-line.md", "settings.md", "wamp-procedures.md"}
SHELL_WORDS = {"|", ">", "<", "&&", "&"}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(language: str) -> list[object]:
    """Each block of a language, as it stands in any list."""
    pattern = re.compile(rf"^( *)```{language}\n(.*?)^\1```", re.M | re.S)
    return [
        pytest.param(textwrap.dedent(text), id=f"{named(page)}-{number}")
        for page in PAGES
        if page.name not in GENERATED  # signatures are no programs
        for number, (_, text) in enumerate(pattern.findall(page.read_text()))
    ]


def commands() -> list[object]:
    """Each command of ours that a page has, on a line of its own or within a sentence."""
    line = re.compile(r"^ *(?:(?:\.\./)?\.venv/bin/)?thingtank +(\S.*)$", re.M)
    inline = re.compile(r"`(?:\.venv/bin/)?thingtank ([^`]+)`")
    found = []
    for page in PAGES:
        if page.name not in GENERATED:
            text = page.read_text()
            within = [" ".join(words.split()) for words in inline.findall(text)]
            # -D takes as many words as its property has; the command reads them itself.
            own = [words for words in line.findall(text) if not re.search(r"`| -D ", words)]
            found += [pytest.param(words, id=f"{named(page)}: {words}") for words in own + within]
    return found


def words_of(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    ends = [at for at, word in enumerate(words) if word in SHELL_WORDS]
    return words[: ends[0]] if ends else words


@pytest.mark.parametrize("line", commands())
def test_a_command_has_such_options_and_arguments(line: str) -> None:
    words = words_of(line)
    command: click.Command = thingtank
    context = click.Context(command, info_name="thingtank")
    while isinstance(command, click.Group) and words:
        name, found, words = command.resolve_command(context, words)
        assert found is not None, "resolve_command refuses a command that there is not"
        command, context = found, click.Context(found, info_name=name, parent=context)
    _, left, _ = command.make_parser(context).parse_args(words)
    assert left == []


def test_commands_are_found_on_pages() -> None:
    assert len(commands()) > 50


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_load(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, secret = tmp_path / "thingtank.toml", tmp_path / "secret"
    secret.write_text("long enough")
    for name in re.findall(r'environment = "(\w+)"', text):
        monkeypatch.setenv(name, "long enough")
    path.write_text(re.sub(r"/run/secrets/\w+", str(secret), text))
    loaded = load_config(path, {})
    assert str(path) in loaded.sources.values()


@pytest.mark.parametrize("text", blocks("python"))
def test_a_program_is_python(text: str) -> None:
    compile(text, "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)


@pytest.mark.parametrize("text", blocks("json"))
def test_a_document_is_json(text: str) -> None:
    json.loads(text)
