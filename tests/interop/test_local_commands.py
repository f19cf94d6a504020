"""`thingtank queue` and `thingtank table`: queues and tables of this machine, without a server."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from tests.interop.test_command_line import answer, refusal, thingtank
from tests.live_server import furnish

from thingtank.local.places import QUEUES, TABLES
from thingtank.local.queue_file import QueueFile
from thingtank.local.table_file import TableFile, TableItem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    furnish(tmp_path)
    done = thingtank(tmp_path, "queue", "send", "work", "-", stdin="a\nb\nc\n")
    assert done.stdout == "sent 3 messages\n"
    return tmp_path


def test_what_is_sent_is_received_once_and_in_order(folder: Path) -> None:
    assert thingtank(folder, "queue", "receive", "work", "--count", "2").stdout == "a\nb\n"
    assert answer(folder, "queue", "list") == [
        {"name": "work", "waiting": 1, "received": 0, "dead": 0}
    ]
    assert thingtank(folder, "queue", "receive", "work").stdout == "c\n"
    done = thingtank(folder, "queue", "receive", "work")
    assert (done.stdout, done.stderr) == ("", "work has no message that can be received now\n")


def test_dead_letters_are_shown_with_how_many_more_there_are(folder: Path) -> None:
    assert thingtank(folder, "queue", "dead", "work").stderr == "work has no dead letters\n"
    with closing(QueueFile(folder / QUEUES)) as file:
        assert len(file.receive("work", 10, 0.0, 0)) == 3  # in vain
    assert thingtank(folder, "queue", "receive", "work", "--receives", "1").stdout == ""
    done = thingtank(folder, "queue", "dead", "work", "--count", "2")
    assert (done.stdout, done.stderr) == ("a\nb\n", "1 more; --count prints more of them\n")
    first = json.loads(thingtank(folder, "queue", "dead", "work", "--json").stdout.split("\n")[0])
    assert (first["body"], first["receive_count"]) == ("a", 1)
    assert thingtank(folder, "queue", "redrive", "work").stdout == "put 3 messages back\n"


@pytest.mark.parametrize("words", [("receive",), ("dead",)], ids=str)
def test_a_name_that_is_misspelt_is_told(folder: Path, words: tuple[str, ...]) -> None:
    done = thingtank(folder, "queue", *words, "wrok")
    assert done.stdout == ""
    assert done.stderr == "there is no queue wrok; `thingtank queue list` says which there are\n"


def test_a_query_says_when_there_may_be_more(folder: Path) -> None:
    with closing(TableFile(folder / TABLES)) as file:
        file.put_if_absent("t", [TableItem("7", f"{n}", 1, None, {"n": n}) for n in range(3)])
    done = thingtank(folder, "table", "query", "t", "7", "--limit", "2")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "there may be more: these are the first 2 (--limit)\n"
    assert thingtank(folder, "table", "query", "t", "7").stderr == ""
    assert "no item with this key" in refusal(folder, "table", "get", "t", "8")
