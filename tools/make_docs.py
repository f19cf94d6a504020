"""Write the reference pages that follow from the code: settings, commands, procedures, metrics.

python tools/make_docs.py            write them
python tools/make_docs.py --check    exit 1 when one is out of date
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import click
import msgspec

from thingtank.cli.main import main as command_line
from thingtank.doors.wamp.tank_peer import topics
from thingtank.doors.wamp.tank_peer.error_table import ROWS
from thingtank.doors.wamp.tank_peer.help import Help, help_of
from thingtank.doors.wamp.tank_peer.procedures import PROCEDURES
from thingtank.server.config import ALONE, ENVIRONMENT_PREFIX, Config, setting
from thingtank.server.monitoring.families import FAMILIES

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
    meanings = meanings_of(Config)
    parts.append("## Before all sections\n\n| setting | default | meaning |\n| --- | --- | --- |")
    for name in sorted(ALONE):
        parts.append(f"| `{name}` | `{json.dumps(setting(Config(), name))}` | {meanings[name]} |")
    parts.append("")
    for section in Config.__struct_fields__:
        if section in ALONE:
            continue
        settings = getattr(Config(), section)
        meanings = meanings_of(type(settings))
        parts.append(f"## {section}\n\n| setting | default | meaning |\n| --- | --- | --- |")
        for name in settings.__struct_fields__:
            default = json.dumps(plain(getattr(settings, name)))
            parts.append(f"| `{section}.{name}` | `{default}` | {meanings.get(name, '')} |")
        parts.append("")
        parts += list_tables(section, type(settings))
    return "\n".join(parts)


def list_tables(path: str, struct: type) -> Iterator[str]:
    """The fields of each setting that is a list of tables, `[[wamp.realms]]`, and of theirs."""
    for name, hint in get_type_hints(struct).items():
        item, *_ = get_args(hint) or (None,)
        if get_origin(hint) is not tuple or not isinstance(item, type):
            continue
        if not issubclass(item, msgspec.Struct):
            continue
        meanings = meanings_of(item)
        yield f"### [[{path}.{name}]]\n\n| field | default | meaning |\n| --- | --- | --- |"
        for field in msgspec.structs.fields(item):
            default = "" if field.required else f"`{json.dumps(plain(field.default))}`"
            yield f"| `{field.name}` | {default} | {meanings.get(field.name, '')} |"
        yield ""
        yield from list_tables(f"{path}.{name}", item)


def plain(value: object) -> object:
    """A default as JSON has it."""
    return msgspec.to_builtins(value)


def meanings_of(struct: type) -> dict[str, str]:
    """What a struct's docstring says of each of its attributes."""
    found = {}
    for names, text in _ATTRIBUTE.findall(inspect.getdoc(struct) or ""):
        for name in names.split(", "):
            found[name] = " ".join(text.split())
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


def wamp_procedures_page() -> str:
    """Every procedure and topic of the tank, and every error."""
    parts = [
        "# WAMP procedures and topics\n",
        "Written by `make docs` from the code. In each realm the tank is a peer: what it can do are"
        " procedures, what happens in it are topics. Examples are in"
        " [Use the tank over WAMP](../howto/use-the-tank-over-wamp.md).\n",
        "Arguments are given by name, and those in front of `*` also by their place; null is as"
        " good as none. Documents and results are those of the"
        " [Xively HTTP API](xively-http.md) in JSON, without its wrapping members. A result is one"
        " positional value, or none. Who may do what is as over HTTP: it depends on whose session"
        " it is. `tank.help` lists all procedures, `tank.help(procedure)` tells of one.\n",
        "## Topics\n",
        f"{_text_of(topics)}\n",
        _EVENTS,
        "## Errors\n",
        "An ERROR has one positional argument, words for people. `wamp.error.invalid_argument` also"
        " has `problems`, a list of field and message; errors that may pass have `retry_after_s`."
        " Any call may be answered with `tank.error.rate_exceeded`, `tank.error.unavailable` while"
        " the server is being stopped, and `wamp.error.runtime_error`, which is logged.\n",
        "| error | meaning |\n| --- | --- |",
    ]
    parts += [f"| `{uri}` | {_first_line(kind)} |" for kind, uri, _ in ROWS]
    parts.append("\n## Procedures\n")
    for procedure in PROCEDURES:
        parts += _procedure_parts(help_of(procedure))
    return "\n".join(parts)


_EVENTS = """\
Values are strings, as they were written. An event of a datastream has the newest value of a write
and its time as two positional arguments; if the write held more than one value of the datastream,
all of them are in the keyword argument `datapoints`, a list of `value` and `at`, in the order
written. A write of more than 500 comes in several events. All other events have one positional
argument, a dict:

- a device: `uuid`, `feed_id`, `title`, `private`, `updated`
- a trigger: as `tank.triggers.get`
- a firing: as a trigger, and `fired_at`, `value`, `value_at`, `debug` (a test)
- a request: `at`, `door`, `method`, `path`, `address`, `user_agent`, `status`, `duration_us`,
  `reason`, `request_body`, `response_body`

To subscribe needs the right to read: `get` on the datastream, or on the whole feed for a pattern
that is all of one feed; `get` on the device; `get` and `put` for a trigger; all four methods for
requests. A pattern that reaches more than one thing is for admins. The right is asked for again at
each event: who has lost it loses the subscription, with the reason `wamp.error.not_authorized`.
"""


def _text_of(module: object) -> str:
    """A module's docstring without its first line."""
    return (inspect.getdoc(module) or "").partition("\n")[2].strip()


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _procedure_parts(told: Help) -> list[str]:
    parts = [f"### {told.procedure}\n", f"```python\n{told.signature}\n```\n", f"{told.summary}\n"]
    if told.text:
        parts.append(f"{told.text}\n")
    parts += [f"- `{names.replace(', ', '`, `')}`: {text}" for names, text in told.args.items()]
    if told.args:
        parts.append("")
    errors = ", ".join(f"`{uri}`" for uri in told.errors)
    return [*parts, f"Result: {told.returns}\n", f"Errors: {errors}\n"]


def metrics_page() -> str:
    """Every metric."""
    parts = [
        "# Metrics\n",
        "Written by `make docs` from the code. `GET /metrics` of the web port answers in the text"
        " format of Prometheus, or in OpenMetrics where the request's Accept header prefers that;"
        " see [Watch it](../howto/watch-it.md). Numbers are taken when they are asked for; those"
        " that have to be read from disk are ten seconds old at most. Counters begin at 0 with the"
        " server. No label has a value that people choose, but for names of schedules.\n",
        "| metric | kind | labels | meaning |\n| --- | --- | --- | --- |",
    ]
    for family in FAMILIES.values():
        labels = "; ".join(f"`{name}`: {values}" for name, values in family.labels.items())
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        name = f"{family.name}_info" if family.kind == "info" else name
        meaning = f"{family.meaning} Only {family.only}." if family.only else family.meaning
        parts.append(f"| `{name}` | {family.kind} | {labels} | {meaning} |")
    parts.append(
        "\nBeside these are the process's own, as all programs with Prometheus' client have them:"
        " `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds`,"
        " `process_max_fds`, `process_start_time_seconds`, `python_gc_*`."
    )
    return "\n".join(parts)


PAGES = {
    "settings.md": settings_page,
    "command-line.md": command_line_page,
    "wamp-procedures.md": wamp_procedures_page,
    "metrics.md": metrics_page,
}


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
