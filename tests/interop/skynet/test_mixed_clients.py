"""Programs of 2014 with programs of today."""

import itertools
from collections.abc import Callable

import pytest
from tests.interop.skynet.clients import CLIENTS, REFERENCE, WAYS, Device, Way, content_of

OpenDevice = Callable[..., Device]


def _pairs() -> list[tuple[Way, Way]]:
    """Each old client with each new one; by which ways changes from pair to pair."""
    turns = {name: itertools.cycle([w for w in WAYS if w.client == name]) for name in CLIENTS}
    old = [name for name, client in CLIENTS.items() if not client.is_new]
    new = [name for name, client in CLIENTS.items() if client.is_new]
    return [(next(turns[left]), next(turns[right])) for left, right in itertools.product(old, new)]


@pytest.mark.parametrize("pair", _pairs(), ids=lambda pair: "+".join(str(way) for way in pair))
def test_old_and_new_clients_talk_to_each_other(
    pair: tuple[Way, Way], open_device: OpenDevice, unused: str
) -> None:
    devices = [open_device(way) for way in pair]
    for sender, hearer in itertools.permutations(devices):
        if not hearer.way.can("hear"):
            continue
        sender.send(hearer.uuid, {"hello": unused})
        message = hearer.heard()
        assert (content_of(message), message["fromUuid"]) == ({"hello": unused}, sender.uuid)
        hearer.do("subscribe", uuid=sender.uuid)
        sender.send("*", [unused])
        message = hearer.heard()
        assert (content_of(message), message["fromUuid"]) == ([unused], sender.uuid)


def test_one_broadcast_reaches_all_clients(open_device: OpenDevice, unused: str) -> None:
    source = open_device(REFERENCE)
    subscribers = [open_device(way) for way in WAYS if way.can("hear")]
    for subscriber in subscribers:
        subscriber.do("subscribe", uuid=source.uuid)
    source.send("*", unused)
    for subscriber in subscribers:
        assert content_of(subscriber.heard()) == unused
