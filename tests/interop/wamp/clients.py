"""The WAMP clients that the tests run, what each can do, and a handle on its process.

All are unmodified, each in a process of its own that takes commands as JSON lines
(`drivers/conversation.py`); so each scenario is written once and run with all of them.
"""

import itertools
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.interop.driven_program import DrivenProgram
from tests.needed import NODE, needed_program, node_package

DRIVERS = Path(__file__).parent / "drivers"
ALL = ("json", "msgpack", "cbor")


class Client(NamedTuple):
    """One client library.

    Attributes:
        program: its driver, with arguments.
        package: the npm package that a driver in Node needs.
        serializers: by transport; None stands for what the client offers by itself.
        methods: of authentication, beside anonymous.
        can: beside acknowledged publications, patterns, calls and their failing:
            `own_events` (exclude_me false), `kwargs` of results, `error_uri` and `error_kwargs` as
            caller, `fail_kwargs`, `slow_endpoints` (count and wait), `yield_progress` and `interrupt`
            as callee, `progress` and `cancel` as caller, `json_octets`. As callee counts what it announces where the
            specification says: wampy announces no progress, kraftfahrstrasse puts the names of its
            callee's features where nobody looks for them.
        cancel_modes: that it can be told. AutobahnJS only `kill`: in all others it forgets the call
            at once, and takes the ERROR that ends it for a violation of the protocol.
    """

    program: tuple[str, ...]
    package: str
    serializers: dict[str, tuple[str | None, ...]]
    methods: tuple[str, ...]
    can: frozenset[str]
    cancel_modes: tuple[str | None, ...] = ()

    @property
    def command(self) -> list[str]:
        name, *arguments = self.program
        if not self.package:
            return [sys.executable, str(DRIVERS / name), *arguments]
        node_package(self.package)
        return [needed_program("node"), str(NODE / name), *arguments]


AUTOBAHN_CAN = frozenset(
    {
        "own_events", "kwargs", "error_uri", "error_kwargs", "fail_kwargs", "slow_endpoints",
        "yield_progress", "interrupt", "progress", "cancel", "json_octets",
    }
)  # fmt: skip
CALLEE = {"yield_progress", "interrupt"}
AUTOBAHN_WAYS = {
    "ws": (None, *ALL, "json.batched", "msgpack.batched", "cbor.batched"),
    "rs": ALL,
}
AUTOBAHN_METHODS = ("ticket", "wampcra", "cryptosign", "scram")

CLIENTS = {
    "autobahn-asyncio": Client(
        ("autobahn_python.py", "asyncio"), "", AUTOBAHN_WAYS, AUTOBAHN_METHODS, AUTOBAHN_CAN, (None,)
    ),
    "autobahn-twisted": Client(
        ("autobahn_python.py", "twisted"), "", AUTOBAHN_WAYS, AUTOBAHN_METHODS, AUTOBAHN_CAN, (None,)
    ),
    "autobahn-js": Client(
        ("wamp_autobahn.js",), "autobahn", {"ws": ALL, "rs": ("json",)},
        ("ticket", "wampcra", "cryptosign"),
        AUTOBAHN_CAN - {"interrupt", "json_octets"}, ("kill",),
    ),
    "wampy": Client(
        ("wamp_wampy.js",), "wampy", {"ws": ALL}, ("ticket", "wampcra", "cryptosign"),
        AUTOBAHN_CAN - CALLEE - {"own_events", "json_octets"},
        (None, "kill", "killnowait", "skip"),
    ),
    "kraftfahrstrasse": Client(
        ("wamp_kraftfahrstrasse.js",), "@verkehrsministerium/kraftfahrstrasse",
        {"ws": ("json", "msgpack")}, ("ticket",),
        AUTOBAHN_CAN - CALLEE - {"error_kwargs", "json_octets"}, ("kill", "killnowait", "skip"),
    ),
    "swampyer": Client(
        ("swampyer_client.py",), "", {"ws": ALL, "rs": ALL}, ("ticket",), frozenset({"own_events"}),
    ),
    "xconn": Client(
        ("xconn_client.py",), "", {"ws": ALL, "rs": ALL}, ("ticket", "wampcra", "cryptosign"),
        frozenset({"own_events", "kwargs", "error_uri", "error_kwargs"}),
    ),
}  # fmt: skip


class Way(NamedTuple):
    """A client by a transport and serializer."""

    client: str
    transport: str
    serializer: str | None

    def __str__(self) -> str:
        return f"{self.client}-{self.transport}-{self.serializer or 'default'}"

    @property
    def can(self) -> frozenset[str]:
        """What the client can by this way."""
        can = CLIENTS[self.client].can
        if (self.serializer or "cbor").startswith("json"):
            return can | {"octets"} if "json_octets" in can else can
        return can | {"octets"}


WAYS = [
    Way(name, transport, serializer)
    for name, client in CLIENTS.items()
    for transport, serializers in client.serializers.items()
    for serializer in serializers
]


class Failed(Exception):
    """A command was answered by an error.

    Attributes:
        uri: None where the client does not tell.
    """

    def __init__(self, uri: str | None, args: list[Any], kwargs: dict[str, Any]) -> None:
        super().__init__(uri, args, kwargs)
        self.uri, self.values, self.kwargs = uri, args, kwargs


class ClientProcess(DrivenProgram):
    """A client's program while it runs."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.command)
        self._sessions = itertools.count(1)

    def join(
        self, url: str, realm: str, serializer: str | None, auth: dict[str, str] | None = None
    ) -> "ClientSession":
        """Open a session; raises Failed."""
        session = ClientSession(self, f"s{next(self._sessions)}")
        parameters = {"url": url, "realm": realm, "serializer": serializer, "auth": auth or {}}
        session.welcome = session.do("join", **parameters)
        return session

    def failure(self, error: dict[str, Any]) -> Exception:
        return Failed(*error.values())


class ClientSession:
    """A session in a client's program; the verbs are those of `conversation.Session`."""

    def __init__(self, process: ClientProcess, name: str) -> None:
        self.welcome: dict[str, Any] = {}
        self._process, self._name = process, name

    def do(self, verb: str, **parameters: Any) -> Any:
        return self._process.ask(do=verb, session=self._name, **parameters)

    def subscribe(self, topic: str, match: str = "exact") -> None:
        self.do("subscribe", topic=topic, match=match)

    def publish(
        self, topic: str, *args: Any, options: dict[str, bool] | None = None, **kwargs: Any
    ) -> None:
        """Publish, acknowledged unless `options` say otherwise."""
        parameters = {"args": args, "kwargs": kwargs, "options": options or {"acknowledge": True}}
        self.do("publish", topic=topic, **parameters)

    def events(self, name: str, count: int = 1) -> list[Any]:
        """Wait for events of what was subscribed to by a name."""
        found: list[Any] = self.do("events", name=name, count=count)
        return found

    def register(self, procedure: str, endpoint: str) -> None:
        self.do("register", procedure=procedure, endpoint=endpoint, match="exact")

    def call(
        self, procedure: str, *args: Any, progress: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """The result as `args`, `kwargs`, `progress`; raises Failed."""
        parameters = {"args": args, "kwargs": kwargs, "progress": progress}
        result: dict[str, Any] = self.do("call", procedure=procedure, **parameters)
        return result

    def cancel(self, procedure: str, mode: str | None) -> None:
        """Call, cancel at once, and wait for the end; raises Failed."""
        self.do("cancel", procedure=procedure, mode=mode)
