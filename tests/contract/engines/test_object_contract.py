"""The contract of objects: a local folder, and S3 as two stand-ins have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from botocore.exceptions import ClientError
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.local.object_folder import BadKey, ObjectFolder


class Objects(Protocol):
    def put_if_absent(self, key: str, data: bytes) -> bool: ...
    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes: ...
    def keys(self, prefix: str = "") -> Iterator[str]: ...
    def delete(self, key: str) -> None: ...


class Bucket:
    def __init__(self, clients: AwsClients, name: str) -> None:
        self.client = clients.client("s3")
        self.name = name
        self.client.create_bucket(Bucket=name)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        try:
            self.client.put_object(Bucket=self.name, Key=key, Body=data, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return False
            raise
        return True

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        wanted = f"bytes={start}-" + ("" if end is None else str(end - 1))
        reply = self.client.get_object(Bucket=self.name, Key=key, Range=wanted)
        return bytes(reply["Body"].read())

    def keys(self, prefix: str = "") -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.name, Prefix=prefix):
            yield from (each["Key"] for each in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)


@pytest.fixture
def objects(clients: AwsClients | None, tmp_path: Path) -> Iterator[Objects]:
    if clients is None:
        yield ObjectFolder(tmp_path / "objects")
        return
    bucket = Bucket(clients, own_name("contract"))
    yield bucket
    for key in list(bucket.keys()):
        bucket.delete(key)
    bucket.client.delete_bucket(Bucket=bucket.name)


def test_an_object_is_written_once_and_read_in_parts(objects: Objects) -> None:
    assert objects.put_if_absent("day=1/a.jsonl", b"0123456789")
    assert not objects.put_if_absent("day=1/a.jsonl", b"other")
    assert objects.get("day=1/a.jsonl") == b"0123456789"
    assert objects.get("day=1/a.jsonl", 3, 5) == b"34"
    assert objects.get("day=1/a.jsonl", 8) == b"89"


def test_objects_are_listed_in_order_by_prefix_and_deleted(objects: Objects) -> None:
    for key in ("b/2", "a/1", "b/1", "b.x"):
        objects.put_if_absent(key, b"x")
    assert list(objects.keys()) == ["a/1", "b.x", "b/1", "b/2"]
    assert list(objects.keys("b/")) == ["b/1", "b/2"]
    objects.delete("b/1")
    objects.delete("b/1")
    assert list(objects.keys("b")) == ["b.x", "b/2"]


@pytest.mark.parametrize("key", ["", "../a", "a/../../b", "/a", "a//b", "a\0", "x" * 300, "./a"])
def test_a_key_never_leaves_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadKey):
        ObjectFolder(tmp_path / "objects").put_if_absent(key, b"x")
    assert list(tmp_path.rglob("*")) == []


def test_a_draft_that_a_crash_left_is_no_object(tmp_path: Path) -> None:
    folder = ObjectFolder(tmp_path)
    folder.put_if_absent("a", b"x")
    (tmp_path / ".draft-1").write_bytes(b"half")
    assert list(folder.keys()) == ["a"]
