"""Section `log` of the settings file."""

from typing import Literal

import msgspec

LogFormat = Literal["auto", "text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged, and how: one line for each event.

    Attributes:
        format: `text` is columns in a terminal and `key=value` elsewhere; `json` an object a line;
            `auto` is `text` in a terminal and `json` elsewhere.
        level: what is less is left out: `debug`, `info`, `warning` or `error`.
        stream: `stderr` or `stdout`.
    """

    format: LogFormat = "auto"
    level: LogLevel = "info"
    stream: Literal["stderr", "stdout"] = "stderr"
