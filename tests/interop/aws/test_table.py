"""`thingtank cloud table` on both stand-ins."""

import json
from collections.abc import Iterator

import pytest
from tests.aws_commands import run_cloud, said
from tests.aws_stand_ins import own_name

from thingtank.aws.settings import AwsSettings


@pytest.fixture
def table(stand_in: AwsSettings) -> Iterator[str]:
    name = own_name("readings")
    said(stand_in, "table", "create", name, "--expires", "gone_at")
    yield name
    run_cloud(stand_in, "table", "delete", name, "--yes")


def test_a_table_has_the_chapters_keys_unless_told_otherwise(
    stand_in: AwsSettings, table: str
) -> None:
    found = json.loads(said(stand_in, "table", "show", table, "--json"))
    assert found["hash_key"] == {"name": "msgid", "kind": "S"}
    assert found["range_key"] == {"name": "date", "kind": "S"}
    assert found["units"] is None
    assert found["expires"] == "gone_at"
    assert table in json.loads(said(stand_in, "table", "list", "--json"))
    assert "msgid:S" in said(stand_in, "table", "show", table)


def test_a_table_with_the_same_keys_is_taken_and_one_with_others_is_not(
    stand_in: AwsSettings, table: str
) -> None:
    assert "there already" in said(stand_in, "table", "create", table)
    refused = run_cloud(stand_in, "table", "create", table, "--hash", "uuid", "--range", "at:N")
    assert refused.exit_code == 1
    assert "with other keys: msgid:S and date:S" in refused.stderr


def test_what_is_put_is_got_and_queried_in_order(stand_in: AwsSettings, table: str) -> None:
    items = [{"msgid": "a", "date": f"2026-01-{day:02}", "body": day} for day in range(1, 31)]
    lines = "\n".join(json.dumps(item) for item in reversed(items))
    assert said(stand_in, "table", "put", table, "-", input=lines) == "put 30 items\n"
    got = said(stand_in, "table", "get", table, "a", "2026-01-03")
    assert json.loads(got) == items[2]
    query = ("table", "query", table, "a")
    found = said(stand_in, *query, "--from", "2026-01-05", "--to", "2026-01-07")
    assert [json.loads(line)["body"] for line in found.splitlines()] == [5, 6, 7]
    found = said(stand_in, *query, "--newest-first", "--limit", "2")
    assert [json.loads(line)["body"] for line in found.splitlines()] == [30, 29]
    found = said(stand_in, *query, "--prefix", "2026-01-1")
    assert len(found.splitlines()) == 10


def test_numbers_keep_all_their_digits(stand_in: AwsSettings, table: str) -> None:
    text = '{"msgid":"n","date":"d","body":12345678901234567890.1234567890123456}'
    said(stand_in, "table", "put", table, text)
    assert "12345678901234567890.1234567890123456" in said(
        stand_in, "table", "get", table, "n", "d"
    )


def test_an_item_is_put_only_if_absent_where_that_is_asked(
    stand_in: AwsSettings, table: str
) -> None:
    put = ("table", "put", table, "--if-absent")
    said(stand_in, *put, '{"msgid": "a", "date": "d", "body": "first"}')
    second = run_cloud(stand_in, *put, '{"msgid": "a", "date": "d", "body": "second"}')
    assert second.exit_code == 1
    assert "first" in said(stand_in, "table", "get", table, "a", "d")


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("[1]", "an item is a JSON object"),
        ("{", "an item is a JSON object"),
        ('{"msgid": "a"}', "this has no date"),
        ('{"msgid": "a", "date": "d", "body": NaN}', "an item cannot hold NaN"),
        ('{"msgid": "a", "date": "d", "body": 1e999}', "a number is too large for a table: 1e999"),
        ('{"msgid": "", "date": "d"}', "empty"),
    ],
)
def test_an_item_that_no_table_takes_is_refused_in_words(
    moto: AwsSettings, item: str, words: str
) -> None:
    name = own_name("refusing")
    said(moto, "table", "create", name)
    refused = run_cloud(moto, "table", "put", name, item)
    assert refused.exit_code == 1
    assert words in refused.stderr
    said(moto, "table", "delete", name, "--yes")


def test_what_is_not_there_is_said_in_a_sentence(stand_in: AwsSettings, table: str) -> None:
    missing = run_cloud(stand_in, "table", "show", own_name("nowhere"))
    assert missing.exit_code == 1
    assert "ResourceNotFoundException" in missing.stderr
    assert "aws.region" in missing.stderr
    assert run_cloud(stand_in, "table", "get", table, "a", "d").exit_code == 1
    assert "give one value for each" in run_cloud(stand_in, "table", "get", table, "a").stderr
    odd = run_cloud(stand_in, "table", "create", "x y")
    assert (odd.exit_code, "3 to 255 of letters" in odd.stderr) == (2, True)


def test_a_table_is_deleted_when_asked_twice(stand_in: AwsSettings, table: str) -> None:
    assert run_cloud(stand_in, "table", "delete", table, input="n\n").exit_code == 1
    assert table in said(stand_in, "table", "list")
    said(stand_in, "table", "delete", table, input="y\n")
    assert table not in said(stand_in, "table", "list")
