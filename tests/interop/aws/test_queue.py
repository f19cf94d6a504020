"""`thingtank cloud queue` on both stand-ins."""

import json
from collections.abc import Iterator

import pytest
from tests.aws_commands import run_cloud, said
from tests.aws_stand_ins import own_name

from thingtank.aws.settings import AwsSettings


@pytest.fixture
def queue(stand_in: AwsSettings) -> Iterator[str]:
    name = own_name("work")
    said(stand_in, "queue", "create", name, "--dead-letters", f"{name}-dead")
    yield name
    for each in (name, f"{name}-dead"):
        run_cloud(stand_in, "queue", "delete", each, "--yes")


def test_what_is_sent_is_counted_received_and_gone(stand_in: AwsSettings, queue: str) -> None:
    lines = "\n".join(f"message {number}" for number in range(25))
    assert said(stand_in, "queue", "send", queue, "-", input=lines) == "sent 25 messages\n"
    counts = json.loads(said(stand_in, "queue", "count", queue, "--json"))
    assert counts == {"waiting": 25, "received": 0, "delayed": 0}
    received = said(stand_in, "queue", "receive", queue, "--count", "100", "--wait", "0")
    assert sorted(received.splitlines()) == sorted(lines.splitlines())
    assert "waiting        0" in said(stand_in, "queue", "count", queue)
    nothing = run_cloud(stand_in, "queue", "receive", queue, "--wait", "0")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "has no message" in nothing.stderr


def test_what_is_only_looked_at_becomes_a_dead_letter_here(
    stand_in: AwsSettings, queue: str
) -> None:
    name = own_name("strict")
    said(stand_in, "queue", "create", name, "--dead-letters", f"{queue}-dead", "--receives", "1",
         "--visibility", "0s")  # fmt: skip
    said(stand_in, "queue", "send", name, "poison")
    looked = ("queue", "receive", name, "--keep", "--count", "1", "--wait", "0")
    assert said(stand_in, *looked) == "poison\n"
    assert said(stand_in, *looked) == ""
    assert said(stand_in, "queue", "receive", f"{queue}-dead", "--wait", "0") == "poison\n"
    said(stand_in, "queue", "delete", name, "--yes")


def test_the_same_queue_is_taken_and_all_are_listed(stand_in: AwsSettings, queue: str) -> None:
    plain = f"{queue}-dead"
    assert plain in said(stand_in, "queue", "create", plain, "--keep", "14d")
    listed = json.loads(said(stand_in, "queue", "list", "--prefix", queue, "--json"))
    assert sorted(each["name"] for each in listed) == [queue, plain]
    other = run_cloud(stand_in, "queue", "create", plain, "--visibility", "77s")
    assert other.exit_code == 1
    assert "Choose another name" in other.stderr


def test_a_fifo_queue_keeps_order_and_wants_a_group(stand_in: AwsSettings) -> None:
    name = own_name("steps") + ".fifo"
    said(stand_in, "queue", "create", name)
    without = run_cloud(stand_in, "queue", "send", name, "one")
    assert (without.exit_code, "needs the group" in without.stderr) == (1, True)
    said(stand_in, "queue", "send", name, "-", "--group", "g", input="one\none\ntwo\n")
    found = said(stand_in, "queue", "receive", name, "--wait", "0", "--json")
    assert [json.loads(line)["body"] for line in found.splitlines()] == ["one", "one", "two"]
    said(stand_in, "queue", "delete", name, "--yes")


def test_a_queue_is_emptied_and_deleted(stand_in: AwsSettings, queue: str) -> None:
    said(stand_in, "queue", "send", queue, "one")
    said(stand_in, "queue", "purge", queue, input="y\n")
    assert json.loads(said(stand_in, "queue", "count", queue, "--json"))["waiting"] == 0
    said(stand_in, "queue", "delete", queue, input="y\n")
    gone = run_cloud(stand_in, "queue", "count", queue)
    assert (gone.exit_code, "NonExistentQueue" in gone.stderr) == (1, True)


@pytest.mark.parametrize(
    ("body", "words"),
    [("a\x00b", "U+0000"), ("", "at least one"), ("x" * 1_048_577, "at most 1,048,576 bytes")],
    ids=["NUL", "empty", "large"],
)
def test_a_message_that_no_queue_takes_is_refused_in_words(
    moto: AwsSettings, body: str, words: str
) -> None:
    name = own_name("refusing")
    said(moto, "queue", "create", name)
    refused = run_cloud(moto, "queue", "send", name, body)
    assert (refused.exit_code, words in refused.stderr) == (1, True)
    said(moto, "queue", "delete", name, "--yes")
