"""Messages that want an answer: by a number in the message, and by socket.io's own acknowledgement."""

import itertools
from collections.abc import Callable

import pytest
from tests.interop.skynet.clients import Device, Way

OpenDevice = Callable[..., Device]
BY_NUMBER = (Way("meshblu"), Way("skynet-mqtt"), Way("socket.io-client"))
BY_ACKNOWLEDGEMENT = [
    (Way("socketio-client-0.5", "websocket"), Way("skynet")),
    (Way("skynet"), Way("skynet")),
]


@pytest.mark.parametrize(
    ("asker", "answerer"),
    [*itertools.product(BY_NUMBER, BY_NUMBER), *BY_ACKNOWLEDGEMENT],
    ids=str,
)
def test_question_is_answered_by_the_other_program(
    asker: Way, answerer: Way, open_device: OpenDevice
) -> None:
    asking, answering = open_device(asker), open_device(answerer)
    for number in range(2):
        assert asking.question(answering.uuid, number) == {"heard": number}
        assert answering.heard()["fromUuid"] == asking.uuid
