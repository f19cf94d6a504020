"""Buckets and objects as AWS answers, where stand-ins would not."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from thingtank.aws import object_reader
from thingtank.aws.addresses import S3Address
from thingtank.aws.clients import AwsClients
from thingtank.aws.lifecycle import set_rule, tidying_rule
from thingtank.aws.object_reader import ObjectReader
from thingtank.aws.settings import AwsSettings
from thingtank.cloud.buckets import BucketRefused, ensure_bucket, harden

THEIRS = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
ADDRESS = S3Address("bucket", "key")
ASKED = {"Bucket": "bucket", "Key": "key"}


@pytest.fixture
def s3() -> Iterator[Any]:
    clients = AwsClients(AwsSettings(region="eu-central-1", endpoint_url="http://127.0.0.1:1"))
    yield clients.client("s3")
    clients.close()


@pytest.fixture
def stubber(s3: Any) -> Iterator[Stubber]:
    with Stubber(s3) as found:
        yield found
        found.assert_no_pending_responses()


def test_a_bucket_is_made_in_the_region_and_hardened(s3: Any, stubber: Stubber) -> None:
    stubber.add_client_error("head_bucket", "404", http_status_code=404)
    where = {"LocationConstraint": "eu-central-1"}
    stubber.add_response(
        "create_bucket", {}, {"Bucket": "bucket", "CreateBucketConfiguration": where}
    )
    is_there = {"ResponseMetadata": {"HTTPStatusCode": 200}}
    stubber.add_response("head_bucket", is_there, {"Bucket": "bucket"})
    stubber.add_response("put_public_access_block", {})
    stubber.add_response("put_bucket_versioning", {})
    stubber.add_response("put_bucket_encryption", {})
    stubber.add_client_error("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
    stubber.add_response("put_bucket_lifecycle_configuration", {})
    stubber.add_response("put_bucket_tagging", {}, {"Bucket": "bucket", "Tagging": {
        "TagSet": [{"Key": "app", "Value": "thingtank"}]
    }})  # fmt: skip
    said: list[str] = []
    assert ensure_bucket(s3, "bucket", said.append)
    assert said == ["Made the bucket bucket in eu-central-1."]


def test_what_a_server_does_not_know_is_said_and_left_out(s3: Any, stubber: Stubber) -> None:
    stubber.add_client_error("put_public_access_block", "NotImplemented", http_status_code=501)
    stubber.add_response("put_bucket_versioning", {})
    stubber.add_response("put_bucket_encryption", {})
    stubber.add_response("get_bucket_lifecycle_configuration", {"Rules": []})
    stubber.add_response("put_bucket_lifecycle_configuration", {})
    stubber.add_response("put_bucket_tagging", {}, {"Bucket": "bucket", "Tagging": {
        "TagSet": [{"Key": "app", "Value": "thingtank"}]
    }})  # fmt: skip
    said: list[str] = []
    harden(s3, "bucket", said.append)
    (line,) = said
    assert "could not close it to the public" in line


@pytest.mark.parametrize("of_another", ["head", "create"])
def test_a_bucket_of_another_is_refused_with_what_to_do(
    of_another: str, s3: Any, stubber: Stubber
) -> None:
    if of_another == "head":
        stubber.add_client_error("head_bucket", "403", http_status_code=403)
    else:
        stubber.add_client_error("head_bucket", "404", http_status_code=404)
        stubber.add_client_error("create_bucket", "BucketAlreadyExists", http_status_code=409)
    with pytest.raises(BucketRefused, match="choose another"):
        ensure_bucket(s3, "bucket", lambda _line: None)


def test_a_rule_stands_beside_others_and_is_set_once(s3: Any, stubber: Stubber) -> None:
    rule = tidying_rule("ours", "cold/", 60)
    assert rule["Transitions"] == [{"Days": 60, "StorageClass": "STANDARD_IA"}]
    older = tidying_rule("ours", "cold/")
    stubber.add_response("get_bucket_lifecycle_configuration", {"Rules": [older, THEIRS]})
    stubber.add_response(
        "put_bucket_lifecycle_configuration", {},
        {"Bucket": "bucket", "LifecycleConfiguration": {"Rules": [THEIRS, rule]}},
    )  # fmt: skip
    assert set_rule(s3, "bucket", rule)
    stubber.add_response("get_bucket_lifecycle_configuration", {"Rules": [THEIRS, rule]})
    assert not set_rule(s3, "bucket", rule)


def test_what_a_bucket_says_of_all_its_rules_stays_with_them(s3: Any, stubber: Stubber) -> None:
    size = {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    rule = tidying_rule("ours", "cold/")
    stubber.add_response("get_bucket_lifecycle_configuration", {"Rules": [THEIRS], **size})
    stubber.add_response(
        "put_bucket_lifecycle_configuration", {},
        {"Bucket": "bucket", "LifecycleConfiguration": {"Rules": [THEIRS, rule]}, **size},
    )  # fmt: skip
    assert set_rule(s3, "bucket", rule)


class Broken(io.BytesIO):
    """A connection that is lost after what it has."""

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if not found:
            raise IncompleteReadError(actual_bytes=0, expected_bytes=1)
        return found


def answer(content: bytes, size_bytes: int) -> dict[str, Any]:
    return {
        "Body": StreamingBody(Broken(content), None), "ContentLength": size_bytes, "ETag": '"e"',
    }  # fmt: skip


def test_an_object_is_read_on_where_the_connection_was_lost(
    s3: Any, stubber: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_reader, "PAUSE_S", 0)
    stubber.add_response("get_object", answer(b"0123", 10), ASKED)
    stubber.add_client_error("get_object", "SlowDown", http_status_code=503)
    stubber.add_response(
        "get_object", answer(b"456789", 6), {**ASKED, "Range": "bytes=4-", "IfMatch": '"e"'}
    )
    with ObjectReader(s3, ADDRESS) as reader:
        assert b"".join(reader.chunks()) == b"0123456789"


def test_an_object_that_is_another_meanwhile_is_an_error(
    s3: Any, stubber: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_reader, "PAUSE_S", 0)
    stubber.add_response("get_object", answer(b"0123", 10), ASKED)
    stubber.add_client_error(
        "get_object", "PreconditionFailed", http_status_code=412,
        expected_params={**ASKED, "Range": ANY, "IfMatch": '"e"'},
    )  # fmt: skip
    with ObjectReader(s3, ADDRESS) as reader, pytest.raises(ClientError, match="Precondition"):
        list(reader.chunks())
