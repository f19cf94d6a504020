"""How clients are made from the settings."""

import sys

import pytest

from thingtank.aws.clients import AwsClients, AwsMissing, is_stand_in
from thingtank.aws.settings import AwsSettings

URLS = [
    ("http://127.0.0.1:4566", True),
    ("http://localhost:4566", True),
    ("http://s3.localhost:4566", True),
    ("http://[::1]:4566", True),
    ("https://s3.eu-central-1.amazonaws.com", False),
    ("http://192.0.2.1:9000", False),
    ("", False),
]


@pytest.mark.parametrize(("url", "is_local"), URLS)
def test_stand_in_is_what_is_on_this_machine(url: str, is_local: bool) -> None:
    assert is_stand_in(url) is is_local


@pytest.fixture(autouse=True)
def no_person(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


def test_one_client_a_service() -> None:
    clients = AwsClients(AwsSettings(region="eu-central-1", endpoint_url="http://127.0.0.1:1"))
    assert clients.client("sqs") is clients.client("sqs")
    assert clients.client("sqs").meta.region_name == "eu-central-1"


def test_service_with_an_endpoint_of_its_own() -> None:
    own = {"s3": "http://127.0.0.1:8333"}
    clients = AwsClients(AwsSettings("eu-central-1", "", "http://127.0.0.1:4566", own))
    assert clients.client("s3").meta.endpoint_url == "http://127.0.0.1:8333"
    assert clients.client("sqs").meta.endpoint_url == "http://127.0.0.1:4566"


def test_stand_in_never_sees_a_persons_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = AwsClients(AwsSettings(endpoint_url="http://127.0.0.1:4566"))
    credentials = clients.client("sqs")._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key) == ("test", "test")


async def test_calls_are_made_in_threads_of_their_own() -> None:
    import threading

    clients = AwsClients(AwsSettings())
    try:
        assert await clients.call(
            lambda **given: (given, threading.current_thread().name), a=1
        ) == (
            {"a": 1},
            "aws_0",
        )
    finally:
        clients.close()


def test_without_boto3_it_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(AwsMissing, match=r"pip install 'thingtank\[aws\]'"):
        AwsClients(AwsSettings(region="eu-central-1")).client("sqs")
