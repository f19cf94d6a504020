"""The twins of boxes 8.29 to 8.35, as programs of their own, on both stand-ins."""

import subprocess
import sys
from pathlib import Path

from tests.aws_commands import said
from tests.aws_stand_ins import aws_environment, own_name

from thingtank.aws.settings import AwsSettings

EXAMPLES = Path(__file__).parents[3] / "examples"


def ran(settings: AwsSettings, name: str, *words: str) -> str:
    """What a program has printed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *words],
        env=aws_environment(settings), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_boxes_8_29_and_8_30_make_a_table_and_write_and_read_an_item(
    stand_in: AwsSettings,
) -> None:
    name = own_name("my-test-table")
    made = ran(stand_in, "box_8_29_dynamodb_table", "--table", name, "--wait", "1")
    assert f"Table {name} is ACTIVE" in made
    shown = ran(stand_in, "box_8_30_dynamodb_items", "--table", name, "--body", "A message")
    assert "'Body': 'A message'" in shown
    assert name in shown.split("Available tables:")[1].splitlines()[0]
    said(stand_in, "table", "delete", name, "--yes")


def test_boxes_8_31_and_8_32_write_to_a_stream_and_read_all_its_shards(
    stand_in: AwsSettings,
) -> None:
    name = own_name("temperature")
    written = ran(
        stand_in, "box_8_31_kinesis_writer", "--stream", name, "--shards", "2", "--count", "3",
        "--interval", "0", "--wait", "1",
    )  # fmt: skip
    sent = [line.split("stream: ")[1] for line in written.splitlines() if "Putting" in line]
    assert len(sent) == 3
    read = ran(
        stand_in, "box_8_32_kinesis_reader", "--stream", name, "--turns", "4", "--interval", "0",
        "--limit", "1",
    )  # fmt: skip
    assert read.count("Reading shard") == 2
    assert [line.split("data: ")[1] for line in read.splitlines() if "data" in line] == [
        record.lower() for record in sent
    ]
    said(stand_in, "stream", "delete", name, "--yes")


def test_boxes_8_33_to_8_35_make_a_queue_write_to_it_and_read_it_empty(
    stand_in: AwsSettings,
) -> None:
    name = own_name("mytestqueue")
    assert ran(stand_in, "box_8_33_sqs_queue", "--queue", name).count(name) >= 3
    said(stand_in, "queue", "send", name, "another")
    assert "'waiting': 2" in ran(stand_in, "box_8_34_sqs_writer", "--queue", name)
    read = ran(stand_in, "box_8_35_sqs_reader", "--queue", name, "--wait", "0")
    assert ": Test message generated on:" in read
    assert "Read 2 messages from queue" in read
    assert '"waiting": 0' in said(stand_in, "queue", "count", name, "--json")
    for each in (name, f"{name}-dead"):
        said(stand_in, "queue", "delete", each, "--yes")
