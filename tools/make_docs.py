"""Write the reference pages that follow from the code: settings and command line.

python tools/make_docs.py            write them
python tools/make_docs.py --check    exit 1 when one is out of date
"""

import inspect
import json
import re
import sys
from pathlib import Path

import click
import msgspec

from thingtank.cli.main import main as command_line
from thingtank.server.config import ENVIRONMENT_PREFIX, Config

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
_ATTRIBUTE = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)


def settings_page() -> str:
    """Every setting with its default and meaning."""
    parts = [
        "# Settings\n",
        "Written by `make docs` from the code. In `thingtank.toml` of the data folder each section"
        " is a table; each setting is also an environment variable"
        f" (`{ENVIRONMENT_PREFIX}WEB_PORT`) and `--set web.port=8001`. Later wins: default, file,"
        " environment, `--set`, flag. `thingtank config show` prints what is in force.\n",
    ]
    for section in Config.__struct_fields__:
        settings = getattr(Config(), section)
        meanings = meanings_of(type(settings))
        parts.append(f"## {section}\n\n| setting | default | meaning |\n| --- | --- | --- |")
        for name in settings.__struct_fields__:
            default = json.dumps(msgspec.to_builtins(getattr(settings, name)))
            parts.append(f"| `{section}.{name}` | `{default}` | {meanings.get(name, '')} |")
        parts.append("")
    return "\n".join(parts)


def meanings_of(struct: type) -> dict[str, str]:
    """What a struct's docstring says of each of its attributes."""
    found = {}
    for names, text in _ATTRIBUTE.findall(inspect.getdoc(struct) or ""):
        for name in names.split(", "):
            found[name] = " ".join(text.split())
    if "port" in getattr(struct, "__struct_fields__", ()):
        found.setdefault("port", "A port, 0 for any free one, or off. No such door yet.")
    return found


def command_line_page() -> str:
    """Every command's help."""
    parts = [
        "# Command line\n",
        "Written by `make docs` from the program. Exit codes: 0 done, 1 refused or failed, 2 wrong"
        " use. Every command takes `--data DIR`; it works beside the server that has the folder,"
        " and without one.\n",
    ]
    parts += _pages_of(command_line, "thingtank", None)
    return "\n".join(parts)


def _pages_of(command: click.Command, path: str, parent: click.Context | None) -> list[str]:
    context = click.Context(
        command, info_name=path.split()[-1], parent=parent, max_content_width=96
    )
    context.terminal_width = 96
    parts = [f"## {path}\n", f"```\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, "listed"
            parts += _pages_of(found, f"{path} {name}", context)
    return parts


PAGES = {"settings.md": settings_page, "command-line.md": command_line_page}


def main() -> int:
    """Write or check all pages."""
    is_check = "--check" in sys.argv
    stale = []
    for name, make in PAGES.items():
        path, text = FOLDER / name, make().rstrip("\n") + "\n"
        if is_check and (not path.exists() or path.read_text() != text):
            stale.append(name)
        elif not is_check:
            path.write_text(text)
    if stale:
        print(f"out of date: {', '.join(stale)}; run: make docs", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
