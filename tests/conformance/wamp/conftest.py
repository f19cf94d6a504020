"""Tables marked `over_wires` are walked in memory, and over the wires of a real door.

| wire | what |
| --- | --- |
| `memory` | no transport: the sans-I/O core by itself |
| `websocket-…` | `wamp.2.json`, `wamp.2.msgpack`, `wamp.2.cbor` |
| `batched-…` | the same with `.batched` |
| `rawsocket-…` | RawSocket with the same serializers |

A test by itself goes over all nine, and so does a table that names its serializers (`name`, or a
caller's and a callee's). Any other table goes over three, which have each transport and each
serializer. `in_memory` keeps a test at home that reaches into what has no transport.
"""

from collections.abc import Iterator

import pytest
from tests.conformance.wamp.wires import (
    MEMORY,
    SERIALIZERS,
    TRANSPORTS,
    WIRES,
    Wire,
    close_doors,
    close_loop,
    current,
)

NAMED = {"name", "serializer", "caller_name", "callee_name", "sender", "receiver"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "over_wires: walked over real transports as well")
    config.addinivalue_line("markers", "in_memory: not walked over wires, though its module is")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "in_memory" in marks or "over_wires" not in marks:
        return
    if NAMED & set(metafunc.fixturenames):
        wires = [Wire(transport) for transport in (MEMORY.transport, *TRANSPORTS)]
        ids = [wire.transport for wire in wires]
    else:
        few = [Wire(*pair) for pair in zip(TRANSPORTS, SERIALIZERS, strict=True)]
        chosen = few if "parametrize" in marks else WIRES
        wires, ids = [MEMORY, *chosen], ["memory", *map(str, chosen)]
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
