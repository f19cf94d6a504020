"""Settings of sinks; section `sinks` of the settings file, and rules as the workbench makes them.

```toml
[[sinks.rules]]
name = "readings"
feeds = "all"
to = {engine = "sql", url = "mysql://tank:secret@db.example/iot", table = "readings"}
```

`rule_problems.py` says what is wrong with a rule that has the right types.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import force_setattr

from thingtank.net.identity.secret_urls import shown_url
from thingtank.sinks.engine import SECRET_FIELDS

Send = Literal["values", "messages", "topics"]

SOURCES = ("file", "environment")  # where a secret is, which is none itself
HIDDEN = "…"


class SinkRule(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, dict=True
):
    """One `[[sinks.rules]]`: what is sent on, and where to.

    Attributes:
        name: its own, for the pages and the log: letters, digits, `-` and `_`, at most 40. The
            place that it has reached is kept by it: a rule with another name begins afresh, with
            what comes from then on.
        to: where to: `engine`, and what that engine needs, such as
            `{engine = "sql", url = "mysql://…", table = "readings"}`.
        send: `values` that are written, `messages` that devices are sent, or what is published to
            `topics` of MQTT and WAMP.
        topics: which ones, as topic filters of MQTT: `["plant/+/state", "alarms/#"]`; only and
            always with `send = "topics"`.
        feeds: which feeds', and so devices': `"all"`, or a list of ids such as `[1, 2]`.
        tag: only of feeds that have this tag; blank for any.
        datastreams: only values of these, where `*` stands for any characters:
            `["temperature", "air-*"]`.
        template: how an item is put, such as `{{device}} {{value}}`; blank for JSON.
        gather_s: a batch waits about so long for more before it is sent; without it 60 s for `s3`
            and `folder`, where each batch is an object, and 0.5 s for others.
    """

    name: str
    to: dict[str, Any]
    send: Send = "values"
    topics: tuple[str, ...] = ()
    feeds: Literal["all"] | tuple[int, ...] = "all"
    tag: str = ""
    datastreams: tuple[str, ...] = ()
    template: str = ""
    gather_s: float | None = None

    def __post_init__(self) -> None:
        """Hide passwords in `to` from everything that prints settings; `target` has them.

        What is named twice is kept once.
        """
        for name in ("topics", "feeds", "datastreams"):
            if isinstance(named := getattr(self, name), tuple):
                force_setattr(self, name, tuple(dict.fromkeys(named)))
        if "hidden" not in self.__dict__:
            shown = {key: _shown(key, value) for key, value in self.to.items()}
            self.__dict__["hidden"] = self.to
            force_setattr(self, "to", shown)

    @property
    def target(self) -> dict[str, Any]:
        """`to` as it was given, with its passwords."""
        whole: dict[str, Any] = self.__dict__.get("hidden", self.to)
        return whole


class SinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How values are sent on to other services.

    Attributes:
        rules: those that there are, each a `[[sinks.rules]]`; more can be made in the workbench.
        workbench: whether admins may make and delete rules there. Who may can have the server
            connect to other hosts, and write files.
        retry_s_max: the longest pause between two attempts.
        messages_max: that wait for one rule, those of topics too; more are left out, and counted as
            missed.
        waiting_bytes_max: what those that wait for one rule may take on the disk; more are left
            out in the same way.
        dead_letters_max: of one rule; it stops when it has so many, until a person retries or
            discards them.
        dead_letter_bytes_max: what those of one rule may take on the disk; it stops in the same
            way.
        stop_s: calls under way get so long to end when the server stops.
    """

    rules: tuple[SinkRule, ...] = ()
    workbench: bool = True
    retry_s_max: float = 60.0
    messages_max: int = 100_000
    waiting_bytes_max: int = 256 * 1024 * 1024
    dead_letters_max: int = 10_000
    dead_letter_bytes_max: int = 256 * 1024 * 1024
    stop_s: float = 3.0


def _shown(name: str, value: object) -> object:
    if isinstance(value, str) and "://" in value:
        return shown_url(value)
    if name not in SECRET_FIELDS:
        return value
    if isinstance(value, Mapping):
        return {key: each if key in SOURCES else HIDDEN for key, each in value.items()}
    return HIDDEN
