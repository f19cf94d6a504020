"""A queue at AWS, on answers as AWS documents them."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.sources.health import failure_of
from thingtank.sources.queues import SqsQueue
from thingtank.sources.records import Arrived

URL = "http://127.0.0.1:1/000000000000/q"
FOUND = {
    "MessageId": "m-1",
    "ReceiptHandle": "r-1",
    "Body": "{}",
    "Attributes": {
        "SentTimestamp": "1700000000123",
        "MessageGroupId": "1001",
        "ApproximateReceiveCount": "3",
    },
}


class Raw(io.BytesIO):
    """The bytes of an answer, as urllib3 gives them."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def clients() -> AwsClients:
    return AwsClients(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:1"))


def open_queue(clients: AwsClients, stub: Stubber, attributes: dict[str, str]) -> SqsQueue:
    stub.add_response("get_queue_url", {"QueueUrl": URL}, {"QueueName": "q"})
    stub.add_response("get_queue_attributes", {"Attributes": attributes})
    queue = SqsQueue(clients, "in", "q", 30, 20)
    queue.open()
    return queue


def test_messages_are_received_by_tens_and_told_to_be_hidden(clients: AwsClients) -> None:
    with Stubber(clients.client("sqs")) as stub:
        queue = open_queue(clients, stub, {"RedrivePolicy": "{}"})
        wanted = {
            "QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20,
            "VisibilityTimeout": 30, "MessageSystemAttributeNames": ["All"],
        }  # fmt: skip
        stub.add_response("receive_message", {"Messages": [FOUND]}, wanted)
        stub.add_response("receive_message", {}, wanted)
        (message,) = queue.receive()
        assert message.record == Arrived("m-1", "1001", 1_700_000_000_123_000, b"{}")
        assert message.receive_count == 3
        assert queue.receive() == []
        entry: dict[str, Any] = {"Id": "0", "ReceiptHandle": "r-1"}
        for hide, hidden_s in ((queue.extend, 30), (queue.release, 0)):
            stub.add_response(
                "change_message_visibility_batch", {"Successful": [], "Failed": []},
                {"QueueUrl": URL, "Entries": [{**entry, "VisibilityTimeout": hidden_s}]},
            )  # fmt: skip
            hide([message])
        busy = {"Id": "0", "SenderFault": False, "Code": "InternalError"}
        late = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
        for failed in (busy, late):
            stub.add_response(
                "delete_message_batch", {"Failed": [failed], "Successful": []},
                {"QueueUrl": URL, "Entries": [entry]},
            )  # fmt: skip
        assert queue.delete([message]) == 1
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(("attributes", "is_told"), [({"RedrivePolicy": "{}"}, False), ({}, True)])
def test_a_queue_without_dead_letters_is_told_of_once(
    clients: AwsClients, capsys: pytest.CaptureFixture[str], attributes: Any, is_told: bool
) -> None:
    with Stubber(clients.client("sqs")) as stub:
        queue = open_queue(clients, stub, attributes)
        stub.add_response("get_queue_url", {"QueueUrl": URL})
        queue.open()
    assert capsys.readouterr().out.count("sqs_queue_has_no_dead_letters") == is_told


@pytest.mark.parametrize(
    ("content_type", "body"), [("text/html", b"<html>Log in</html>"), ("application/json", b"[1]")]
)
def test_another_server_at_its_address_is_told_as_such(
    clients: AwsClients, content_type: str, body: bytes
) -> None:
    def answer(**_: object) -> AWSResponse:
        return AWSResponse(URL, 200, {"content-type": content_type}, Raw(body))

    clients.client("sqs").meta.events.register("before-send", answer)
    with pytest.raises(ResponseParserError) as raised:
        SqsQueue(clients, "in", "q", 30, 20).open()
    failure = failure_of(raised.value)
    assert failure is not None
    assert "What came back is no answer of AWS" in str(failure)
