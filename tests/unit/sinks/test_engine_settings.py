"""What rules may say of engines, and what these tell where they cannot work."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import classify
from thingtank.aws.settings import AwsSettings
from thingtank.cloud import databases
from thingtank.sinks.engine import ALL_DELIVERED, EngineFailed, EngineParts, Item
from thingtank.sinks.engines import ENGINES, BadEngine, engine_settings, make_engine
from thingtank.sinks.engines.keys import Keys, KeySettings
from thingtank.sinks.engines.objects import PrefixSettings, objects_of
from thingtank.sinks.engines.sql.mysql import tls_of
from thingtank.tank.failures import FailureKind

BAD = [
    ({"engine": "kinesis"}, "`stream`"),
    ({"engine": "kinesis", "stream": "s", "shards": -1}, "`shards` must be within"),
    ({"engine": "kinesis", "stream": "s", "connections": 99}, "`connections` must be within"),
    ({"engine": "kinesis", "stream": "s", "shard": 1}, "`shard`"),
    ({"engine": "sqs", "queue": ""}, "`queue` is blank"),
    ({"engine": "queue", "queue": "q", "messages_max": 0}, "`messages_max` must be 1 or more"),
    ({"engine": "dynamodb", "table": "readings", "keep": "some"}, "keep"),
    (
        {"engine": "dynamodb", "table": "readings", "hash": "{{nothing}}"},
        "`hash`: there is no {{nothing}}",
    ),
    ({"engine": "table", "table": "t", "range": "{{at"}, "`range`: double braces"),
    (
        {"engine": "table", "table": "t", "range": "{{at}}" + "é" * 513},
        "`range` has more than 1,024 bytes",
    ),
    (
        {"engine": "kinesis", "stream": "s", "shards": "many"},
        "kinesis: `shards` must be a whole number",
    ),
    ({"engine": "dynamodb", "table": "readings", "range_key": "msgid"}, "must be two attributes"),
    (
        {"engine": "dynamodb", "table": "readings", "keep": "latest", "plain": True},
        "cannot go with",
    ),
    ({"engine": "table", "table": "t", "keep_days": -1}, "`keep_days` must be 0 or more"),
    ({"engine": "s3", "bucket": "bucket", "prefix": "../x"}, "`prefix` may have"),
    ({"engine": "s3", "bucket": ""}, "`bucket` is blank"),
    (
        {"engine": "s3", "bucket": "Bad_Bucket..Name"},
        "AWS takes no bucket named 'Bad_Bucket..Name'",
    ),
    ({"engine": "s3", "bucket": "10.0.0.1"}, "looks like an address"),
    ({"engine": "sqs", "queue": "bad queue!.fifo"}, "1 to 80 letters"),
    ({"engine": "sqs", "queue": "q" * 76 + ".fifo"}, "may end in .fifo"),
    ({"engine": "kinesis", "stream": "bad stream"}, "1 to 128 letters"),
    ({"engine": "dynamodb", "table": "ab"}, "3 to 255 letters"),
    ({"engine": "dynamodb", "table": "abc\n"}, "3 to 255 letters"),
    ({"engine": "folder", "folder": ""}, "`folder` must be a path"),
    ({"engine": "fax"}, "`engine` must be one of"),
    ({"engine": "table", "table": "t", "hash_key": "value"}, "an item has a `value` of its own"),
    ({"engine": "table", "table": "t", "keep_days": 1, "expires": "at"}, "name `expires`"),
    ({"engine": "table", "table": "t", "keep_days": 1e30}, "at most 1,000,000"),
    (
        {"engine": "queue", "queue": "q", "messages_max": 10**22},
        "`messages_max` has too many digits",
    ),
    ({"engine": "sql", "url": "mysql://u@h/d?ssl_ca=/a&ssl_verify_identity=1"}, "true or false"),
    ({"engine": "sql", "url": "mysql://u@h/d?ssl_verify_identity=true"}, "needs ssl_ca"),
]


@pytest.mark.parametrize(("to", "words"), BAD, ids=lambda each: str(each)[:60])
def test_what_no_rule_may_say_is_told_in_words(to: dict[str, object], words: str) -> None:
    with pytest.raises(BadEngine) as raised:
        engine_settings(to)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "to",
    [
        {"engine": "sqs", "queue": "q" * 75 + ".fifo"},
        {"engine": "kinesis", "stream": "s" * 128},
        {"engine": "dynamodb", "table": "arn:aws:dynamodb:eu-west-1:123456789012:table/readings"},
        {"engine": "s3", "bucket": "my-readings.example.org"},
        {"engine": "table", "table": "t", "hash_key": "device", "hash": "{{device}}"},
    ],
)
def test_names_that_aws_takes_are_taken(to: dict[str, object]) -> None:
    assert engine_settings(to)


def test_a_form_tells_numbers_and_flags_as_text() -> None:
    found = engine_settings({"engine": "kinesis", "stream": "s", "shards": "2", "joined": "false"})
    assert (found.shards, found.joined) == (2, False)


@pytest.mark.parametrize("name", [each for each in ENGINES if each != "sql"])
def test_an_engine_says_where_it_sends_before_it_is_open(name: str, tmp_path: Path) -> None:
    needed = {"kinesis": "stream", "sqs": "queue", "queue": "queue", "dynamodb": "table",
              "table": "table", "s3": "bucket", "folder": "folder"}[name]  # fmt: skip
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path)
    engine = make_engine({"engine": name, needed: "readings"}, parts)
    assert "readings" in engine.describe()
    engine.close()
    assert list(tmp_path.iterdir()) == []


def item(value: str = "21", **more: Any) -> Item:
    found: dict[str, Any] = {
        "item_id": "o-1-0", "kind": "datapoint", "device_id": 7, "uuid": "u", "datastream": "roof",
        "at_us": 1_700_000_000_000_001, "value": value, "number": 21.0,
        "payload": b"{}",
    } | more  # fmt: skip
    return Item(**found)


def test_keys_are_the_chapters_by_name_and_sort_a_series_by_time() -> None:
    settings = KeySettings()
    assert (settings.hash_key, settings.range_key) == ("msgid", "date")
    assert Keys(settings).key_of(item()) == ("u/roof", "2023-11-14T22:13:20.000001Z o-1-0")
    latest = Keys(KeySettings(keep="latest", range_key=""))
    assert latest.key_of(item()) == ("u/roof", "")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (item(datastream="x" * 2000), "has more than 1,024 bytes"),
        (item(datastream="\ud800"), "utf-8"),
        (item(datastream=""), "is blank"),
    ],
    ids=["long", "surrogate", "blank"],
)
def test_an_item_that_can_have_no_key_is_refused_alone(found: Item, words: str) -> None:
    keyed, refused = Keys(KeySettings(hash="{{datastream}}")).keyed([item(), found])
    assert [each.places for each in keyed] == [(0,)]
    assert words in refused[1]


def test_of_one_key_the_newest_stands_for_all_of_a_batch() -> None:
    keys = Keys(KeySettings(keep="latest"))
    items = [item(str(number), at_us=at_us) for number, at_us in enumerate((5, 9, 7, 9))]
    (found,), _ = keys.keyed(items)
    assert (found.item.value, found.places) == ("3", (0, 1, 2, 3))


def test_an_item_expires_so_many_days_after_its_time() -> None:
    keys = Keys(KeySettings(keep_days=0.5, expires="gone_at"))
    assert keys.attributes_of(item())["gone_at"] == 1_700_000_000 + 43_200
    assert "expires" not in Keys(KeySettings()).attributes_of(item())


def test_another_item_of_one_key_in_a_table_is_refused_and_a_repeat_is_not(tmp_path: Path) -> None:
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path)
    to = {"engine": "table", "table": "t", "hash": "{{device}}", "range": "{{datastream}}"}
    engine = make_engine(to, parts)
    engine.open()
    assert engine.send([item("1")]) == ALL_DELIVERED
    result = engine.send([item("1"), item("2", item_id="o-1-1")])
    assert list(result.refused) == [1]
    assert "another item has its key" in result.refused[1]
    engine.close()


@pytest.mark.parametrize("name", ["queue", "table"])
def test_a_file_of_another_program_is_told_and_left_alone(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "sinks"
    folder.mkdir()
    connection = sqlite3.connect(folder / f"{name}s.sqlite3")
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path)
    with pytest.raises(EngineFailed) as raised:
        make_engine({"engine": name, name: "x"}, parts).open()
    assert raised.value.failure.kind is FailureKind.EXISTS


def test_a_full_queue_makes_its_rule_wait_and_loses_nothing(tmp_path: Path) -> None:
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path)
    engine = make_engine({"engine": "queue", "queue": "q", "messages_max": 1}, parts)
    engine.open()
    engine.send([item()])
    with pytest.raises(EngineFailed) as raised:
        engine.send([item(item_id="o-1-1")])
    assert raised.value.failure.kind is FailureKind.THROTTLED
    assert "Have somebody read it" in str(raised.value)
    engine.close()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path / "data")
    engine = make_engine({"engine": "folder", "folder": str(tmp_path / "taken" / "x")}, parts)
    with pytest.raises(EngineFailed) as raised:
        engine.open()
    assert "taken" in str(raised.value)
    assert "A file is where a folder has to be" in str(raised.value)


@pytest.mark.parametrize(
    ("options", "is_name_checked"),
    [
        (databases.ENGINES["mysql"].ca_options.format("/a.pem"), True),  # `cloud database show`
        ("?ssl_ca=/a.pem", True),
        ("?ssl_ca=/a.pem&ssl_verify_identity=false", False),
    ],
)
def test_tls_of_mysql_checks_the_name_unless_told_otherwise(
    options: str, is_name_checked: bool
) -> None:
    found = engine_settings({"engine": "sql", "url": f"mysql://u:p@h/d{options}"})
    assert tls_of(found.place()) == {"ca": "/a.pem", "check_hostname": is_name_checked}


def test_a_file_of_authorities_that_is_missing_is_not_the_hosts_fault(tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path)
    to = {"engine": "sql", "url": f"mysql://u:p@127.0.0.1:1/d?ssl_ca={gone}"}
    with pytest.raises(EngineFailed, match="There is no file") as raised:
        make_engine(to, parts).open()
    assert raised.value.failure.kind is FailureKind.MISSING


def test_a_batch_is_never_larger_than_its_queue(tmp_path: Path) -> None:
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path)
    engine = make_engine({"engine": "queue", "queue": "q", "messages_max": 2}, parts)
    assert engine.bounds.items_max == 2
    engine = make_engine({"engine": "queue", "queue": "q"}, parts)
    assert engine.bounds.items_max == 1000


@pytest.mark.parametrize(("name", "dead"), [("q", "q-dead"), ("q.fifo", "q-dead.fifo")])
def test_a_queue_that_a_rule_makes_keeps_what_it_has_as_long_as_can_be(
    name: str, dead: str, tmp_path: Path
) -> None:
    aws = AwsClients(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9"))
    engine = make_engine(
        {"engine": "sqs", "queue": name, "create": True}, EngineParts(lambda: aws, tmp_path)
    )
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    attributes = {
        "VisibilityTimeout": "30",
        "MessageRetentionPeriod": "1209600",
        "ReceiveMessageWaitTimeSeconds": "20",
        "SqsManagedSseEnabled": "true",
    } | fifo
    policy = '{"deadLetterTargetArn": "arn:dead", "maxReceiveCount": "5"}'
    tags = {"app": "thingtank"}
    with Stubber(aws.client("sqs", is_checked=False)) as stub:
        stub.add_client_error("get_queue_url", "AWS.SimpleQueueService.NonExistentQueue")
        stub.add_response(
            "create_queue",
            {"QueueUrl": "http://dead"},
            {"QueueName": dead, "Attributes": attributes, "tags": tags},
        )
        stub.add_response(
            "get_queue_attributes",
            {"Attributes": {"QueueArn": "arn:dead"}},
            {"QueueUrl": "http://dead", "AttributeNames": ["QueueArn"]},
        )
        stub.add_response(
            "create_queue",
            {"QueueUrl": "http://q"},
            {"QueueName": name, "Attributes": attributes | {"RedrivePolicy": policy}, "tags": tags},
        )
        engine.open()
        stub.assert_no_pending_responses()
    engine.close()
    aws.close()


def test_what_a_batch_has_of_a_day_is_one_object_under_that_day() -> None:
    day_us = 86_400_000_000
    times = [0, day_us - 1, day_us, 5, -1]
    items = [item(at_us=at_us, payload=b"%d" % at_us) for at_us in times]
    found = objects_of(PrefixSettings(prefix="raw/"), items)
    assert [(each.key[:19], each.data) for each in found] == [
        ("raw/day=1970-01-01/", b"0\n%d\n5\n" % (day_us - 1)),
        ("raw/day=1970-01-02/", b"%d\n" % day_us),
        ("raw/day=1969-12-31/", b"-1\n"),
    ]
    assert len({each.key for each in found}) == 3


def test_an_object_that_is_there_is_delivered_and_one_in_the_making_is_tried_again(
    tmp_path: Path,
) -> None:
    aws = AwsClients(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9"))
    engine = make_engine({"engine": "s3", "bucket": "bucket"}, EngineParts(lambda: aws, tmp_path))
    with Stubber(aws.client("s3", is_checked=False)) as stub:
        stub.add_response("head_bucket", {})
        engine.open()
        stub.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
        assert engine.send([item()]) == ALL_DELIVERED
        stub.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        with pytest.raises(ClientError) as raised:
            engine.send([item()])
    assert classify(raised.value).is_passing
    aws.close()
