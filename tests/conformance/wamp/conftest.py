"""Tables marked `over_wires` are walked in memory, and over each wire of a real door.

| wire | what |
| --- | --- |
| `memory` | no transport: the sans-I/O core by itself |
| `websocket-…` | `wamp.2.json`, `wamp.2.msgpack`, `wamp.2.cbor` |
| `batched-…` | the same with `.batched` |
| `rawsocket-…` | RawSocket with the same serializers |

A table that names its serializers (`name`, or a caller's and a callee's) has the transport only;
so has one marked `over_transports`, where the serializer makes no difference. `in_memory` keeps one
at home that reaches into what has no transport.
"""

from collections.abc import Iterator

import pytest
from tests.conformance.wamp.wires import (
    MEMORY,
    TRANSPORTS,
    WIRES,
    Wire,
    close_doors,
    close_loop,
    current,
)

NAMED = {"name", "serializer", "caller_name", "callee_name", "sender", "receiver"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "over_wires: walked over each wire as well")
    config.addinivalue_line("markers", "in_memory: not walked over wires, though its module is")
    config.addinivalue_line("markers", "over_transports: the same, with JSON alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "in_memory" in marks or not marks & {"over_wires", "over_transports"}:
        return
    if "over_transports" in marks or NAMED & set(metafunc.fixturenames):
        wires = [Wire(transport) for transport in (MEMORY.transport, *TRANSPORTS)]
        ids = [wire.transport for wire in wires]
    else:
        wires = [MEMORY, *WIRES]
        ids = ["memory", *map(str, WIRES)]
    metafunc.parametrize("wire", wires, ids=ids, indirect=True)


@pytest.fixture(autouse=True)
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """The wire that clients come over; in memory unless a table says otherwise."""
    current.wire = getattr(request, "param", MEMORY)
    yield current.wire
    current.wire = MEMORY
    close_doors()


@pytest.fixture(scope="session", autouse=True)
def loop_of_wires() -> Iterator[None]:
    """One loop for all of them."""
    yield
    close_loop()
