"""The Session Meta API. Source: WAMP, Session Meta API."""

import pytest
from tests.conformance.wamp.realms import NAMES, World

pytestmark = pytest.mark.over_wires

IN_USE = "wamp.session."


@pytest.mark.parametrize("name", NAMES)
def test_join_and_leave_are_published(name, wire):
    world = World()
    kind = {"batched": "websocket"}.get(wire.transport, wire.transport)
    peer = "here" if kind == "memory" else "127.0.0.1"
    listener = world.join(name)
    on_join = listener.subscribe("wamp.session.on_join")
    on_leave = listener.subscribe("wamp.session.on_leave")
    other = world.join("cbor", authid="lamp", authrole="device", authextra={"x": 1})
    details = {
        "session": other.id,
        "authid": "lamp",
        "authrole": "device",
        "authmethod": "test",
        "authprovider": "tests",
        "authextra": {"x": 1},
        "transport": {"type": kind, "protocol": "wamp.2.cbor", "peer": peer},
    }
    assert listener.events() == [(on_join, [details])]
    assert listener.call("wamp.session.get", other.id) == details
    other.send(6, {}, "wamp.close.close_realm")
    assert listener.events() == [(on_leave, [other.id, "lamp", "device"])]


@pytest.mark.parametrize("how", ["goodbye", "abort", "violation", "lose", "kill"])
def test_leave_is_published_once_in_any_way(how):
    world = World()
    listener, other = world.join(), world.join()
    on_leave = listener.subscribe("wamp.session.on_leave")
    if how == "goodbye":
        other.send(6, {}, "wamp.close.close_realm")
    elif how == "abort":
        other.send(3, {}, "wamp.close.close_realm")
    elif how == "violation":
        other.send(2)
    elif how == "kill":
        other.session.close("wamp.close.killed")
    other.session.lose()
    assert listener.events() == [(on_leave, [other.id, "someone", "device"])]


@pytest.mark.parametrize("name", NAMES)
def test_count_and_list(name):
    world = World()
    caller = world.join(name, authrole="admin")
    devices = [world.join().id, world.join().id]
    hidden = world.join(authrole="router")
    everybody = [caller.id, *devices]
    for filters, expected in [
        ([], everybody),
        ([None], everybody),
        ([["device"]], devices),
        ([["device", "admin"]], everybody),
        ([["nobody"]], []),
        ([[]], []),
        ([["router"]], []),
    ]:
        assert caller.call("wamp.session.list", *filters) == expected
        assert caller.call("wamp.session.count", *filters) == len(expected)
    assert hidden.call("wamp.session.list") == everybody


WRONG = [
    ("count", ["device"], {}, "invalid_argument"),
    ("count", [[1]], {}, "invalid_argument"),
    ("list", [{"x": 1}], {}, "invalid_argument"),
    ("get", [], {}, "invalid_argument"),
    ("get", ["7001"], {}, "invalid_argument"),
    ("get", [True], {}, "invalid_argument"),
    ("get", [0], {}, "invalid_argument"),
    ("get", [99], {}, "no_such_session"),
    ("kill", [], {}, "invalid_argument"),
    ("kill", [99], {}, "no_such_session"),
    ("kill", [7002], {"reason": "not a uri"}, "invalid_uri"),
    ("kill", [7002], {"reason": ""}, "invalid_uri"),
    ("kill", [7002], {"reason": 1}, "invalid_uri"),
    ("kill", [7002], {"message": 1}, "invalid_argument"),
    ("kill", [7001], {}, "no_such_session"),  # the caller's own
    ("kill", [7003], {}, "no_such_session"),  # the router's own
    ("get", [7003], {}, "no_such_session"),
    ("kill_by_authid", [], {}, "invalid_argument"),
    ("kill_by_authid", [1], {}, "invalid_argument"),
    ("kill_by_authid", ["lamp"], {"reason": "a..b"}, "invalid_uri"),
    ("kill_by_authrole", [None], {}, "invalid_argument"),
    ("kill_all", [], {"reason": "a..b"}, "invalid_uri"),
]


def call(client, procedure, args, kwargs):
    request_id = client.ask(48, procedure, args, kwargs)
    answer = client.take_one()
    assert answer[1 if answer[0] == 50 else 2] == request_id
    if answer[0] == 8:
        return answer[4].removeprefix("wamp.error.")
    return answer[3][0] if len(answer) > 3 else None


@pytest.mark.parametrize(("procedure", "args", "kwargs", "error"), WRONG, ids=str)
def test_errors(procedure, args, kwargs, error):
    world = World()
    caller, other, hidden = world.join(), world.join(authid="lamp"), world.join(authrole="router")
    assert (caller.id, other.id, hidden.id) == (7001, 7002, 7003)
    assert call(caller, f"wamp.session.{procedure}", args, kwargs) == error
    assert (other.take(), hidden.take()) == ([], [])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("kwargs", "goodbye"),
    [
        ({}, [6, {}, "wamp.close.killed"]),
        ({"reason": None, "message": None}, [6, {}, "wamp.close.killed"]),
        ({"reason": "a.b", "message": "go"}, [6, {"message": "go"}, "a.b"]),
    ],
)
@pytest.mark.parametrize(
    ("procedure", "args", "result", "killed"),
    [
        ("kill", [7002], None, [7002]),
        ("kill_by_authid", ["lamp"], [7002, 7003], [7002, 7003]),
        ("kill_by_authid", ["nobody"], [], []),
        ("kill_by_authrole", ["device"], 2, [7002, 7004]),
        ("kill_by_authrole", ["router"], 0, []),
        ("kill_all", [], 3, [7002, 7003, 7004]),
    ],
    ids=str,
)
def test_kill(name, procedure, args, result, killed, kwargs, goodbye):
    world = World()
    clients = [
        world.join(name, authid="lamp", authrole="device"),
        world.join(name, authid="lamp", authrole="device"),
        world.join("cbor", authid="lamp", authrole="admin"),
        world.join("json", authid="door", authrole="device"),
        world.join("json", authid="tank", authrole="router"),
    ]
    caller = clients[0]
    assert call(caller, f"wamp.session.{procedure}", args, kwargs) == result
    for client in clients:
        assert client.take() == ([goodbye] if client.id in killed else [])
        assert (client.id in world.realm.members) is (client.id not in killed)
    # In time they say goodbye too, and may come again.
    for client in clients:
        if client.id in killed:
            client.send(6, {}, "wamp.close.goodbye_and_out")
            client.hello()
            assert client.take_one()[0] == 2


def test_killed_callee_and_caller():
    world = World()
    killer, callee, caller = world.join(), world.join(), world.join()
    callee.register("a.b")
    call_id = caller.ask(48, "a.b")
    assert killer.call("wamp.session.kill", callee.id) == "nothing"
    assert caller.take_one()[:5] == [8, 48, call_id, {}, "wamp.error.canceled"]
    assert world.holds_nothing_of(callee.id)


def test_arguments_by_name():
    world = World()
    caller, other = world.join(), world.join(authrole="admin")
    assert call(caller, "wamp.session.get", [], {"session": other.id})["session"] == other.id
    assert call(caller, "wamp.session.count", [], {"filter_authroles": ["admin"]}) == 1
