"""The contract of tables: the local one, and DynamoDB as two stand-ins have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.items import put_unless, to_wire
from thingtank.cloud import tables
from thingtank.local.table_file import TableFile, TableItem


class Table(Protocol):
    def put_if_absent(self, hash_key: str, range_key: str, at_us: int) -> bool: ...
    def put_if_newer(self, hash_key: str, range_key: str, at_us: int) -> bool: ...
    def at_us(self, hash_key: str, range_key: str) -> int | None: ...
    def between(self, hash_key: str, start: str, end: str) -> list[str]: ...


class LocalTable:
    def __init__(self, path: Path) -> None:
        self.file = TableFile(path)

    def put_if_absent(self, hash_key: str, range_key: str, at_us: int) -> bool:
        return self.file.put_if_absent("t", [self._item(hash_key, range_key, at_us)]) == 1

    def put_if_newer(self, hash_key: str, range_key: str, at_us: int) -> bool:
        return self.file.put_if_newer("t", [self._item(hash_key, range_key, at_us)]) == 1

    def at_us(self, hash_key: str, range_key: str) -> int | None:
        found = self.file.find("t", hash_key, range_key, 0)
        return None if found is None else found.attributes["at_us"]

    def between(self, hash_key: str, start: str, end: str) -> list[str]:
        found = self.file.query("t", hash_key, 0, start=start, end=end)
        return [each.range_key for each in found]

    def _item(self, hash_key: str, range_key: str, at_us: int) -> TableItem:
        return TableItem(hash_key, range_key, at_us, None, {"at_us": at_us})


class DynamoDbTable:
    def __init__(self, clients: AwsClients, name: str) -> None:
        self.clients = clients
        design = tables.TableDesign(name, tables.Key("msgid", "S"), tables.Key("date", "S"))
        tables.create(clients, design, lambda _: None)
        self.table = tables.get(clients, name)

    def put_if_absent(self, hash_key: str, range_key: str, at_us: int) -> bool:
        item = {"msgid": hash_key, "date": range_key, "at_us": at_us}
        return tables.put_if_absent(self.clients, self.table, item)

    def put_if_newer(self, hash_key: str, range_key: str, at_us: int) -> bool:
        item = {"msgid": hash_key, "date": range_key, "at_us": at_us}
        return put_unless(
            self.clients.client("dynamodb"), self.table.name,
            "attribute_not_exists(msgid) OR at_us <= :at", Item=to_wire(item),
            ExpressionAttributeValues={":at": {"N": str(at_us)}},
        )  # fmt: skip

    def at_us(self, hash_key: str, range_key: str) -> Any:
        found = tables.find(self.clients, self.table, hash_key, range_key)
        return None if found is None else found["at_us"]

    def between(self, hash_key: str, start: str, end: str) -> list[str]:
        within = tables.KeyRange(start, end)
        found = tables.query(self.clients, self.table, hash_key, within, 100)
        return [each["date"] for each in found]


@pytest.fixture
def table(clients: AwsClients | None, tmp_path: Path) -> Iterator[Table]:
    if clients is None:
        local = LocalTable(tmp_path / "tables.sqlite3")
        yield local
        local.file.close()
        return
    name = own_name("contract")
    yield DynamoDbTable(clients, name)
    clients.client("dynamodb").delete_table(TableName=name)


def test_an_item_is_put_once_and_never_over_another(table: Table) -> None:
    assert table.at_us("h", "r") is None
    assert table.put_if_absent("h", "r", 1)
    assert not table.put_if_absent("h", "r", 2)
    assert table.put_if_absent("h", "s", 3)
    assert (table.at_us("h", "r"), table.at_us("h", "s")) == (1, 3)


def test_the_newest_item_stays_whatever_comes_late_or_twice(table: Table) -> None:
    assert [table.put_if_newer("h", "r", at_us) for at_us in (5, 3, 5, 7)] == [
        True, False, True, True,
    ]  # fmt: skip
    assert table.at_us("h", "r") == 7


def test_a_range_is_sorted_and_has_both_its_ends(table: Table) -> None:
    for name in ("d", "b", "a", "c", "ä"):
        table.put_if_absent("h", name, 1)
    table.put_if_absent("other", "b", 1)
    assert table.between("h", "b", "d") == ["b", "c", "d"]
    assert table.between("h", "a", "ä") == ["a", "b", "c", "d", "ä"]


def test_what_is_over_is_not_there_and_is_deleted(tmp_path: Path) -> None:
    """Of the local form: moto deletes nothing, and AWS within days."""
    file = TableFile(tmp_path / "tables.sqlite3")
    file.put_if_absent(
        "t", [TableItem("h", str(expires_s), 1, expires_s, {}) for expires_s in (10, 20, 30)]
    )
    file.put_if_absent("t", [TableItem("h", "kept", 1, None, {})])
    assert [each.range_key for each in file.query("t", "h", 20)] == ["30", "kept"]
    assert file.find("t", "h", "20", 20) is None
    assert file.expire("t", 20) == 2
    assert [each.range_key for each in file.query("t", "h", 0)] == ["30", "kept"]
    file.close()
