"""Leases in a file and in DynamoDB are one thing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.sources.kinesis.dynamodb_leases import DynamoDbLeases
from thingtank.sources.kinesis.lease_table import LeaseTable
from thingtank.sources.kinesis.leases import OLDEST, SHARD_END, Lease
from thingtank.sources.source_file import SourceFile

Open = Callable[[str], LeaseTable]  # the leases of a rule, as another reader has them


@pytest.fixture(params=["file", "moto", "ministack"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "file":
        file = SourceFile(tmp_path)
        yield lambda rule: file.leases(rule, "s")
        file.close()
        return
    settings: AwsSettings = request.getfixturevalue(request.param)
    clients, table = AwsClients(settings), own_name("leases")
    yield lambda rule: DynamoDbLeases(clients, table, rule, "s")
    clients.client("dynamodb").delete_table(TableName=table)
    clients.close()


def test_the_first_start_counts_for_all_readers_and_all_shards(opened: Open) -> None:
    one, other = opened("in"), opened("in")
    one.ensure({"s-1": ()}, "@5")
    other.ensure({"s-1": (), "s-2": ("s-1", "s-0")}, OLDEST)
    leases = [Lease("s-1", checkpoint="@5"), Lease("s-2", checkpoint="@5", parents=("s-1", "s-0"))]
    assert one.all() == other.all() == leases
    opened("else").ensure({"s-1": ()}, OLDEST)
    assert opened("else").all() == [Lease("s-1")]
    assert one.all() == leases


def test_a_change_holds_once_and_only_for_who_has_seen_the_last(opened: Open) -> None:
    one, other = opened("in"), opened("in")
    one.ensure({"s-1": ()}, OLDEST)
    (seen,) = one.all()
    taken = one.change(seen, owner="a")
    assert taken == Lease("s-1", "a", 1)
    assert other.change(seen, owner="b") is None
    done = one.change(taken, owner="a", checkpoint="49")
    assert done == Lease("s-1", "a", 2, "49")
    assert one.change(taken, owner="a", checkpoint="48") is None  # never back
    stolen = other.change(done, owner="b")
    assert stolen == Lease("s-1", "b", 3, "49")
    assert one.change(done, owner="a", checkpoint=SHARD_END) is None
    assert one.all() == [stolen]


def test_forgotten_leases_are_gone_and_others_stay(opened: Open) -> None:
    table = opened("in")
    table.ensure({"s-1": (), "s-2": ()}, "@7")
    table.forget(["s-1", "s-9"])
    assert table.all() == [Lease("s-2", checkpoint="@7")]
    (seen,) = table.all()
    table.ensure({"s-2": (), "s-3": ("s-2",)}, OLDEST)
    assert table.all() == [seen, Lease("s-3", checkpoint="@7", parents=("s-2",))]
