"""Options that many commands share, and types of their values."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:  # generic in some releases of click, and for type checkers
    ParamType = click.ParamType

DATA_DEFAULT = "tank-data"


class _Folder(click.Path):
    """One that is named: a blank text, as of an empty variable, would be the working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is blank: name a folder", param, ctx)
        return super().convert(value, param, ctx)


data_option = click.option(
    "--data",
    type=_Folder(path_type=Path, file_okay=False),
    default=DATA_DEFAULT,
    envvar="THINGTANK_DATA",
    show_default=True,
    help="The data folder.",
)
config_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The settings file; default: thingtank.toml in the data folder.",
)
set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Any setting; may be given several times.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")
owner_option = click.option(
    "--owner", default="", metavar="LOGIN", help="Whose; default: the instance's owner."
)
page_option = click.option("--page", type=click.IntRange(1), default=1, show_default=True)
per_page_option = click.option(
    "--per-page", type=click.IntRange(1, 1000), default=100, show_default=True
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")

_NEGATIVE = re.compile(r"-\.?\d")


class NumbersCommand(click.Command):
    """A command among whose arguments are numbers: `-5` is one, not an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse with such arguments behind `--`, where nothing is taken for an option."""
        takes_value = {
            name
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and not (param.is_flag or param.count)
            for name in param.opts
        }
        options: list[str] = []
        arguments: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--":
                arguments += words
            elif not word.startswith("-") or word == "-" or _NEGATIVE.match(word):
                arguments.append(word)
            else:
                options.append(word)
                if word in takes_value:
                    options += [value for value in [next(words, None)] if value is not None]
        return super().parse_args(ctx, [*options, "--", *arguments])


class InterruptedGroup(click.Group):
    """Commands of which many go on until Ctrl-C: it ends them with exit code 0, not as aborted."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run one; also while it still imports what it needs."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return None


_DURATION = re.compile(r"(\d{1,6})([smhdwy])\Z")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}


class Duration(ParamType):
    """`30d`, `12h`, `90s`, as seconds."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse one."""
        if isinstance(value, int):
            return value
        found = _DURATION.match(str(value))
        if found is None:
            self.fail(f"{value!r} is no duration such as 90s, 12h, 30d, 1y", param, ctx)
        return int(found[1]) * _UNITS_S[found[2]]


class KeepFor(Duration):
    """A duration, or `forever`, which is 0."""

    name = "KEEP"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse one."""
        return 0 if value in ("forever", 0) else super().convert(value, param, ctx)


class Methods(ParamType):
    """`get,put,post,delete`, or `read,update,create,delete` as the workbench says."""

    name = "METHODS"
    _words: ClassVar[dict[str, str]] = {
        "get": "get", "put": "put", "post": "post", "delete": "delete",
        "read": "get", "update": "put", "create": "post",
    }  # fmt: skip

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Parse them."""
        if isinstance(value, tuple):
            return value
        words = [word.strip().lower() for word in str(value).split(",")]
        for word in words:
            if word not in self._words:
                self.fail(f"{word!r} is not one of {', '.join(self._words)}", param, ctx)
        return tuple(dict.fromkeys(self._words[word] for word in words))
