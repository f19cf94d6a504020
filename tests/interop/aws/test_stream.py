"""`thingtank cloud stream` on both stand-ins."""

import json
from collections.abc import Iterator

import pytest
from tests.aws_commands import run_cloud, said
from tests.aws_stand_ins import own_name

from thingtank.aws.settings import AwsSettings


@pytest.fixture
def stream(stand_in: AwsSettings) -> Iterator[str]:
    name = own_name("temperature")
    said(stand_in, "stream", "create", name, "--shards", "2")
    yield name
    run_cloud(stand_in, "stream", "delete", name, "--yes")


def test_what_is_put_is_followed_in_order_from_all_shards(
    stand_in: AwsSettings, stream: str
) -> None:
    for key in ("a", "b", "c"):
        lines = "\n".join(f"{key}{number}" for number in range(501))
        put = said(stand_in, "stream", "put", stream, key, "-", input=lines)
        assert put == "put 501 records\n"
    found = said(stand_in, "stream", "tail", stream, "--from", "oldest", "--once", "--json")
    records = [json.loads(line) for line in found.splitlines()]
    assert {record["shard"] for record in records} == {
        "shardId-000000000000", "shardId-000000000001",
    }  # fmt: skip
    for key in ("a", "b", "c"):
        assert [record["data"] for record in records if record["key"] == key] == [
            f"{key}{number}" for number in range(501)
        ]


def test_following_ends_after_as_many_as_are_asked(stand_in: AwsSettings, stream: str) -> None:
    said(stand_in, "stream", "put", stream, "a", "21\x1b[2J")
    found = said(stand_in, "stream", "tail", stream, "--from", "oldest", "--count", "1")
    assert found.endswith("  a  21\\x1b[2J\n")
    later = said(stand_in, "stream", "tail", stream, "--from", "2100-01-01", "--once")
    assert later == ""
    assert run_cloud(stand_in, "stream", "tail", stream, "--from", "noon").exit_code == 2


def test_a_stream_that_is_there_is_taken_unless_it_is_of_the_other_kind(
    stand_in: AwsSettings, stream: str
) -> None:
    assert "there already: 2 open shards" in said(stand_in, "stream", "create", stream)
    other = run_cloud(stand_in, "stream", "create", stream, "--on-demand")
    assert other.exit_code == 1
    assert "with 2 shards" in other.stderr
    assert stream in json.loads(said(stand_in, "stream", "list", "--json"))


def test_a_record_that_no_stream_takes_is_refused_in_words(
    stand_in: AwsSettings, stream: str
) -> None:
    long = run_cloud(stand_in, "stream", "put", stream, "k" * 257, "21")
    assert (long.exit_code, "1 to 256 characters" in long.stderr) == (1, True)
    missing = run_cloud(stand_in, "stream", "put", own_name("nowhere"), "k", "21")
    assert (missing.exit_code, "ResourceNotFoundException" in missing.stderr) == (1, True)


def test_a_stream_is_deleted(stand_in: AwsSettings, stream: str) -> None:
    said(stand_in, "stream", "delete", stream, input="y\n")
    assert stream not in said(stand_in, "stream", "list")
    assert run_cloud(stand_in, "stream", "delete", stream, "--yes").exit_code == 1
