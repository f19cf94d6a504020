"""Procedures that the router carries out itself."""

import pytest
from tests.conformance.wamp.dealing import Realm

from thingtank.protocols.wamp.answers import Refused
from thingtank.protocols.wamp.calls import DealerBounds
from thingtank.protocols.wamp.errors import FailureTold, UnconvertiblePayload
from thingtank.protocols.wamp.serializers import SERIALIZERS

pytestmark = pytest.mark.over_wires

ECHO = "tank.echo"


def echo(call):
    call.result(*call.args, kwargs=call.kwargs)


def kept(realm, uri="tank.later"):
    """A procedure that keeps its calls."""
    calls = []
    realm.dealer.provide(uri, calls.append)
    return calls


@pytest.mark.parametrize("name", SERIALIZERS)
@pytest.mark.parametrize("payload", [[], [[1, "two"]], [[], {"x": [3]}]])
def test_answer_at_once(name, payload):
    realm = Realm()
    realm.dealer.provide(ECHO, echo)
    caller = realm.join(name)
    call_id = caller.call(ECHO, *payload)
    assert caller.take() == [[50, call_id, {}, *payload]]


@pytest.mark.in_memory
@pytest.mark.parametrize("name", SERIALIZERS)
def test_answer_later(name):
    realm = Realm()
    calls = kept(realm)
    caller = realm.join(name)
    ids = [caller.call("tank.later", [1]), caller.call("tank.later", [2])]
    assert caller.take() == []
    assert [(call.caller, call.procedure, call.args) for call in calls] == [
        (caller.peer, "tank.later", [1]),
        (caller.peer, "tank.later", [2]),
    ]
    calls[1].result("b")
    calls[0].error("tank.error.no", "a", kwargs={"c": 1})
    assert caller.take() == [
        [50, ids[1], {}, ["b"]],
        [8, 48, ids[0], {}, "tank.error.no", ["a"], {"c": 1}],
    ]


def test_second_answer_goes_nowhere():
    realm = Realm()
    calls = kept(realm)
    caller = realm.join()
    caller.call("tank.later")
    calls[0].result(1)
    assert calls[0].is_over
    caller.take()
    calls[0].result(2)
    calls[0].progress(2)
    calls[0].error("tank.error.no")
    assert caller.take() == []


@pytest.mark.parametrize("asks", [True, False])
def test_progress_goes_to_those_who_asked(asks):
    realm = Realm()
    calls = kept(realm)
    caller = realm.join()
    call_id = caller.call("tank.later", receive_progress=asks)
    assert calls[0].receives_progress is asks
    calls[0].progress(1)
    calls[0].result(2)
    progress = [[50, call_id, {"progress": True}, [1]]] if asks else []
    assert caller.take() == [*progress, [50, call_id, {}, [2]]]


def test_refusal_is_an_error():
    realm = Realm()

    def refuse(call):
        raise Refused("wamp.error.invalid_argument", "expected a number")

    realm.dealer.provide("tank.refuse", refuse)
    caller = realm.join()
    call_id = caller.call("tank.refuse")
    assert caller.take() == [
        [8, 48, call_id, {}, "wamp.error.invalid_argument", ["expected a number"]]
    ]


@pytest.mark.in_memory
def test_failure_ends_the_call_and_comes_to_light():
    realm = Realm()
    realm.dealer.provide("tank.broken", lambda call: 1 / 0)
    caller = realm.join()
    with pytest.raises(FailureTold) as caught:
        caller.call("tank.broken")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caller.take_one()[4:] == ["wamp.error.runtime_error", ["the procedure failed"]]


def test_payload_that_cannot_be_read_is_an_error():
    realm = Realm()
    realm.dealer.provide(ECHO, echo)
    caller = realm.join("cbor")
    call_id = caller.call(ECHO, [{(1, 2): 3}])
    assert caller.take_error(48, call_id) == "wamp.error.invalid_payload"


def test_result_without_a_form_is_an_error_at_once_and_can_be_mended_later():
    realm = Realm()
    calls = kept(realm)
    caller = realm.join("msgpack")
    call_id = caller.call("tank.later")
    with pytest.raises(UnconvertiblePayload):
        calls[0].result(2**70)
    calls[0].result("much")
    assert caller.take() == [[50, call_id, {}, ["much"]]]
    realm.dealer.provide("tank.much", lambda call: call.result(2**70))
    call_id = caller.call("tank.much")
    assert caller.take_error(48, call_id) == "wamp.error.invalid_payload"


@pytest.mark.parametrize("case", ["parts", "passthru", "opaque"])
def test_what_the_router_cannot_read_is_an_error(case):
    realm = Realm()
    realm.dealer.provide(ECHO, echo)
    caller = realm.join()
    options = {"parts": {"progress": True}, "passthru": {"ppt_scheme": "mqtt"}, "opaque": {}}
    call_id = caller.call(ECHO, "opaque" if case == "opaque" else [1], **options[case])
    assert caller.take_error(48, call_id) == "wamp.error.feature_not_supported"


@pytest.mark.parametrize("ending", ["cancel", "kill", "timeout", "caller leaves"])
def test_end_before_the_answer_is_told_once(ending):
    realm = Realm()
    calls = kept(realm)
    caller = realm.join()
    call_id = caller.call("tank.later", timeout=10)
    told = []
    calls[0].on_canceled = lambda: told.append(ending)
    if ending == "timeout":
        realm.wait_ms(10)
        assert caller.take_error(48, call_id) == "wamp.error.timeout"
    elif ending == "caller leaves":
        caller.leave()
    else:
        caller.cancel(call_id, **({"mode": "kill"} if ending == "kill" else {}))
        assert caller.take_error(48, call_id) == "wamp.error.canceled"
    realm.wait_ms(10)
    assert told == [ending]
    calls[0].result(1)
    assert caller.take() == []


def test_answers_in_the_moment_of_leaving_are_not_sent_to_who_left():
    realm = Realm()
    calls = kept(realm)
    caller = realm.join()
    caller.call("tank.later")
    caller.call("tank.later")
    calls[0].on_canceled = lambda: calls[1].result("too late")
    caller.leave()
    assert caller.take() == []


def test_answered_call_is_not_told_of_its_callers_leaving():
    realm = Realm()
    calls = kept(realm)
    caller = realm.join()
    caller.call("tank.later")
    calls[0].on_canceled = pytest.fail
    calls[0].result()
    caller.leave()


def test_clients_cannot_register_what_the_router_provides():
    realm = Realm()
    realm.dealer.provide(ECHO, echo)
    client = realm.join()
    for options in ({}, {"force_reregister": True}, {"invoke": "roundrobin"}):
        assert client.fail_to_register(ECHO, **options) == "wamp.error.procedure_already_exists"
    client.register("tank.", match="prefix")
    call_id = client.call(ECHO, [1])
    assert client.take() == [[50, call_id, {}, [1]]]


def test_the_router_cannot_provide_what_is_taken():
    realm = Realm()
    realm.join().register(ECHO)
    with pytest.raises(ValueError, match="taken"):
        realm.dealer.provide(ECHO, echo)


def test_pattern_of_the_routers():
    realm = Realm()
    realm.dealer.provide("tank.feeds.", lambda call: call.result(call.procedure), match="prefix")
    caller = realm.join()
    call_id = caller.call("tank.feeds.7")
    assert caller.take() == [[50, call_id, {}, ["tank.feeds.7"]]]


def test_nothing_of_it_in_the_meta_api():
    realm = Realm()
    realm.dealer.provide(ECHO, echo)
    asked = realm.dealer.registrations
    assert realm.heard == []
    assert asked.list_ids() == {"exact": [], "prefix": [], "wildcard": []}
    assert asked.lookup(ECHO) is None
    assert asked.match(ECHO) is None


def test_calls_count_among_the_pending_ones():
    realm = Realm(DealerBounds(calls_per_caller_max=1))
    calls = kept(realm)
    caller = realm.join()
    caller.call("tank.later")
    call_id = caller.call("tank.later")
    assert caller.take_error(48, call_id) == "tank.error.limit_reached"
    calls[0].result()
    caller.call("tank.later")
    assert len(calls) == 2


def test_payloads_of_unanswered_calls_are_bounded():
    realm = Realm(DealerBounds(kept_bytes_max=100))
    calls = kept(realm)
    caller = realm.join()
    caller.call("tank.later", ["x" * 60])
    call_id = caller.call("tank.later", ["x" * 60])
    assert caller.take_error(48, call_id) == "tank.error.limit_reached"
    calls[0].result()
    caller.call("tank.later", ["x" * 60])
    assert len(calls) == 2
