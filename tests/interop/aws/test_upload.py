"""`thingtank cloud upload`, and what it does when an upload breaks off."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.aws_stand_ins import aws_environment, own_name
from tests.interop.aws.buckets import Breaking, Recorded, remove_bucket

from thingtank.aws.addresses import S3Address
from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cli.main import main
from thingtank.cloud.objects import PART_BYTES, UploadRefused, upload
from thingtank.cloud.upload_notes import Notes

LARGE_BYTES = 2 * PART_BYTES + 12_345


@pytest.fixture
def s3(stand_in: AwsSettings) -> Iterator[Any]:
    clients = AwsClients(stand_in)
    yield clients.client("s3")
    clients.close()


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    name = own_name("uploads")
    s3.create_bucket(Bucket=name)
    yield name
    remove_bucket(s3, name)


def run(settings: AwsSettings, folder: Path, *words: str) -> Result:
    environment = {**aws_environment(settings), "XDG_STATE_HOME": str(folder / "state")}
    runner = CliRunner(env=environment)
    return runner.invoke(main, ["cloud", "upload", *words, "--data", str(folder)])


def large(folder: Path) -> Path:
    file = folder / "large.bin"
    file.write_bytes(os.urandom(LARGE_BYTES))
    return file


def content(s3: Any, bucket: str, key: str) -> bytes:
    found: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def test_files_arrive_under_their_names_in_a_bucket_that_is_made_and_closed(
    stand_in: AwsSettings, s3: Any, tmp_path: Path
) -> None:
    bucket = own_name("made")
    small, big = tmp_path / "readings.json", large(tmp_path)
    small.write_text("{}")
    ran = run(
        stand_in, tmp_path, str(small), str(big), f"s3://{bucket}/data", "--make-bucket", "--json"
    )
    assert ran.exit_code == 0, ran.stderr
    try:
        assert [each["bytes"] for each in json.loads(ran.stdout)] == [2, LARGE_BYTES]
        assert content(s3, bucket, "data/large.bin") == big.read_bytes()
        head = s3.head_object(Bucket=bucket, Key="data/readings.json")
        assert head["ContentType"] == "application/json"
        closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert set(closed.values()) == {True}
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    finally:
        remove_bucket(s3, bucket)


def test_what_broke_off_is_gone_on_with(s3: Any, bucket: str, tmp_path: Path) -> None:
    file, address = large(tmp_path), S3Address(bucket, "large.bin")
    notes = Notes(tmp_path / "notes", "here")
    with pytest.raises(ConnectionError):
        upload(Breaking(s3, "upload_part", after=2), file, address, notes, False, lambda _: None)
    assert not s3.list_objects_v2(Bucket=bucket).get("Contents")
    again, seen = Recorded(s3), []
    done = upload(again, file, address, notes, True, seen.append)
    sent = [call["PartNumber"] for name, call in again.calls if name == "upload_part"]
    assert len(sent) == 1
    assert done.resumed_bytes == LARGE_BYTES - len(again.bodies[0])
    assert sum(seen) == LARGE_BYTES
    assert content(s3, bucket, "large.bin") == file.read_bytes()
    assert notes.find(file, address) is None


def test_a_file_that_is_another_since_begins_anew(s3: Any, bucket: str, tmp_path: Path) -> None:
    file, address = large(tmp_path), S3Address(bucket, "large.bin")
    notes = Notes(tmp_path / "notes", "here")
    with pytest.raises(ConnectionError):
        upload(Breaking(s3, "upload_part", after=2), file, address, notes, False, lambda _: None)
    file.write_bytes(os.urandom(LARGE_BYTES))
    assert upload(s3, file, address, notes, True, lambda _: None).resumed_bytes == 0
    assert content(s3, bucket, "large.bin") == file.read_bytes()
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_file_that_changes_meanwhile_is_refused_and_leaves_nothing(
    s3: Any, bucket: str, tmp_path: Path
) -> None:
    file, address = large(tmp_path), S3Address(bucket, "large.bin")
    once = threading.Lock()

    def change(_count: int) -> None:
        if once.acquire(blocking=False):
            os.utime(file)

    with pytest.raises(UploadRefused, match="changed while"):
        upload(s3, file, address, Notes(tmp_path / "notes", "here"), False, change)
    assert not s3.list_objects_v2(Bucket=bucket).get("Contents")
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_bucket_that_is_not_there_is_said_with_what_to_do(
    stand_in: AwsSettings, tmp_path: Path
) -> None:
    file = tmp_path / "file.txt"
    file.write_text("1")
    ran = run(stand_in, tmp_path, str(file), f"s3://{own_name('nobody')}/")
    assert ran.exit_code == 1
    assert "NoSuchBucket" in ran.stderr
    assert "--make-bucket" in ran.stderr


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("s3://My_Bucket/x", "lower-case"),
        ("s3://192.168.1.9/x", "address of a machine"),
        ("s3://bucket/../x", "dotted part"),
        ("bucket/x", "s3://bucket/prefix"),
    ],
)
def test_names_that_aws_refuses_are_wrong_use(to: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_text("1")
    ran = run(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9"), tmp_path,
              str(file), to)  # fmt: skip
    assert ran.exit_code == 2
    assert why in ran.stderr


def test_wrong_keys_are_said_with_where_to_look(seaweedfs: AwsSettings, tmp_path: Path) -> None:
    """A stand-in takes any."""
    file = tmp_path / "file.txt"
    file.write_text("1")
    runner = CliRunner(env={**aws_environment(seaweedfs), "AWS_ACCESS_KEY_ID": "wrong"})
    ran = runner.invoke(
        main, ["cloud", "upload", str(file), "s3://bucket/", "--data", str(tmp_path)]
    )
    assert ran.exit_code == 1
    assert "InvalidAccessKeyId" in ran.stderr
    assert "aws sts get-caller-identity" in ran.stderr
