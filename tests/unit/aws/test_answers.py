"""What another server answers where AWS should be is told as such, whatever the service."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import classify
from thingtank.aws.settings import AwsSettings

HTML = ("text/html", b"<html><body>Welcome to nginx</body></html>")
DOCTYPE = ("text/html; charset=utf-8", b"<!DOCTYPE html>\n<html><p>Log in<br></html>")
JSON_LIST = ("application/json", b"[1,2]")
JSON_OBJECT = ("application/json", b'{"status":"ok"}')
PLAIN = ("text/plain", b"hello")
DEEP = ("application/x-amz-json-1.0", b'{"TableNames":5,"QueueUrls":7,"Items":3}')

CALLS: dict[str, Callable[[AwsClients], Any]] = {
    "sts": lambda clients: clients.client("sts").get_caller_identity(),
    "dynamodb": lambda clients: clients.client("dynamodb").list_tables(),
    "sqs": lambda clients: clients.client("sqs").list_queues(),
    "kinesis": lambda clients: clients.client("kinesis").list_streams(),
    "ec2": lambda clients: clients.client("ec2").describe_instances(),
    "rds": lambda clients: clients.client("rds").describe_db_instances(),
    "emr": lambda clients: clients.client("emr").list_clusters(),
    "emr-serverless": lambda clients: clients.client("emr-serverless").list_applications(),
    "list objects": lambda clients: clients.client("s3").list_objects_v2(Bucket="abc"),
    "delete a bucket": lambda clients: clients.client("s3").delete_bucket(Bucket="abc"),
    "make a bucket": lambda clients: clients.client("s3").create_bucket(Bucket="abc"),
    "look for a bucket": lambda clients: clients.client("s3").head_bucket(Bucket="abc"),
    "put an object": lambda clients: clients.client("s3").put_object(Bucket="abc", Key="k"),
    "read an object": lambda clients: clients.client("s3").get_object(Bucket="abc", Key="k"),
    "begin an upload": lambda clients: clients.client("s3").create_multipart_upload(
        Bucket="abc", Key="k"
    ),
}


class Other(BaseHTTPRequestHandler):
    """Answers the same to everything."""

    said: ClassVar[tuple[int, str, bytes]]

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, content_type, body = self.said
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def clients() -> Iterator[AwsClients]:
    server = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    found = AwsClients(AwsSettings("us-east-1", "", url), attempts_max=1)
    yield found
    found.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(
    "said", [HTML, DOCTYPE, JSON_LIST, JSON_OBJECT, PLAIN], ids=["html", "doc", "[]", "{}", "text"]
)
def test_another_server_that_says_200(
    clients: AwsClients, call: Callable[[AwsClients], Any], said: tuple[str, bytes]
) -> None:
    Other.said = (200, *said)
    with pytest.raises(ResponseParserError) as raised:
        call(clients)
    failure = classify(raised.value)
    assert "What came back is no answer of AWS" in str(failure)
    assert failure.is_passing


@pytest.mark.parametrize("service", ["sts", "dynamodb", "sqs", "emr-serverless", "list objects"])
@pytest.mark.parametrize("said", [HTML, DOCTYPE, JSON_LIST])
def test_another_server_that_says_404(
    clients: AwsClients, service: str, said: tuple[str, bytes]
) -> None:
    Other.said = (404, *said)
    with pytest.raises((ResponseParserError, ClientError)) as raised:
        CALLS[service](clients)
    assert "Traceback" not in str(classify(raised.value))


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_json_with_other_things_in_it_than_its_members_hold(
    clients: AwsClients, service: str
) -> None:
    Other.said = (200, *DEEP)
    with pytest.raises(ResponseParserError):
        CALLS[service](clients)


@pytest.mark.parametrize(
    "service", ["sts", "dynamodb", "ec2", "emr-serverless", "list objects", "read an object"]
)
def test_another_server_that_says_nothing(clients: AwsClients, service: str) -> None:
    Other.said = (200, "text/plain", b"")
    with pytest.raises(ResponseParserError):
        CALLS[service](clients)


def test_json_of_a_type_of_its_own_is_not_looked_at_further(clients: AwsClients) -> None:
    Other.said = (200, "application/x-amz-json-1.0", b' {"QueueUrls": []}')
    assert clients.client("sqs").list_queues()["QueueUrls"] == []
    Other.said = (200, "application/json", b"{}")  # what stand-ins say of no queue
    assert "QueueUrls" not in clients.client("sqs").list_queues()


def test_a_policy_is_no_page(clients: AwsClients) -> None:
    Other.said = (200, "application/json", b'{"Version":"2012-10-17"}')
    clients.client("s3").get_bucket_policy(Bucket="abc")


def test_an_answer_of_nothing_is_one_where_there_may_be_nothing(clients: AwsClients) -> None:
    Other.said = (200, "application/x-amz-json-1.0", b"")
    clients.client("sqs").delete_message(QueueUrl=clients.settings.endpoint_url, ReceiptHandle="a")
    Other.said = (200, "application/xml", b"")
    clients.client("s3").create_bucket(Bucket="abc")


def test_a_page_with_503_is_of_a_load_balancer_that_has_a_bad_moment(clients: AwsClients) -> None:
    Other.said = (503, *HTML)
    with pytest.raises(ClientError) as raised:
        CALLS["sts"](clients)
    assert classify(raised.value).is_passing
