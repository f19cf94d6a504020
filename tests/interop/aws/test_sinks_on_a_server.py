"""A server whose rules send values to AWS and to the local forms, and the commands that read these."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import requests
from click.testing import CliRunner, Result
from tests.aws_commands import run_cloud, said
from tests.aws_stand_ins import own_name
from tests.live_server import furnish, start_server
from tests.waiting import wait_until

from thingtank.aws.settings import AwsSettings
from thingtank.cli.main import main
from thingtank.local.queue_file import QueueFile

SETTINGS = """
[aws]
endpoint_url = "{url}"
region = "us-east-1"

[[sinks.rules]]
name = "out"
to = {{engine = "kinesis", stream = "{name}", shards = 1}}
template = "{{{{datastream}}}}={{{{value}}}}"
gather_s = 0

[[sinks.rules]]
name = "work"
to = {{engine = "queue", queue = "work"}}
gather_s = 0

[[sinks.rules]]
name = "state"
to = {{engine = "table", table = "state", keep = "latest", hash = "{{{{feed}}}}", range = "{{{{datastream}}}}"}}
gather_s = 0
"""


def run(folder: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(folder)], input=typed)


def soon(look: Callable[[], str], wanted: str) -> str:
    """What is there once `wanted` is in it."""

    def there() -> str:
        found = look()
        return found if wanted in found else ""

    return wait_until(there, look)


def waiting(folder: Path) -> str:
    queues = json.loads(run(folder, "queue", "list", "--json").stdout)
    return str([each["waiting"] for each in queues])


def stream_text(settings: AwsSettings, name: str) -> str:
    found = run_cloud(settings, "stream", "tail", name, "--from", "oldest", "--once", "--json")
    return "".join(json.loads(line)["data"] for line in found.stdout.splitlines())


def test_values_go_to_a_stream_a_queue_and_a_table_and_are_read_by_command(
    moto: AwsSettings, tmp_path: Path
) -> None:
    name = own_name("out")
    assert "a rule with the engine `queue` makes one" in run(tmp_path, "queue", "list").output
    (tmp_path / "thingtank.toml").write_text(SETTINGS.format(url=moto.endpoint_url, name=name))
    with start_server(tmp_path) as server:
        datastreams = f"{server.url}/v2/feeds/{server.feed_id}/datastreams"
        headers = {"X-ApiKey": server.api_key}
        for value in ("20", "21"):
            new = {"datastreams": [{"id": "roof", "current_value": value}]}
            put = requests.put(
                datastreams.removesuffix("/datastreams"), json={"version": "1.0.0", **new},
                headers=headers, timeout=10,
            )  # fmt: skip
            put.raise_for_status()
        state = ("table", "get", "state", str(server.feed_id), "roof")
        assert '"21"' in soon(lambda: run(tmp_path, *state).stdout, '"21"')
        # By a rule of its own, which may be later than that of the table.
        assert soon(lambda: waiting(tmp_path), "[2]") == "[2]"
        received = run(tmp_path, "queue", "receive", "work").stdout.splitlines()
        assert [json.loads(line)["value"] for line in received] == ["20", "21"]
        assert json.loads(run(tmp_path, "queue", "list", "--json").stdout) == [
            {"name": "work", "waiting": 0, "received": 0, "dead": 0}
        ]
        listed = json.loads(run(tmp_path, "table", "list", "--json").stdout)
        assert listed == [{"name": "state", "item_count": 1}]
        query = run(tmp_path, "table", "query", "state", str(server.feed_id))
        assert json.loads(query.stdout)["datastream"] == "roof"
        assert run(tmp_path, "backup", str(tmp_path / "all.tar.gz")).exit_code == 0
        with tarfile.open(tmp_path / "all.tar.gz") as backup:
            assert {"sinks/queues.sqlite3", "sinks/tables.sqlite3"} <= set(backup.getnames())
        wanted = "roof=20\nroof=21\n"
        assert soon(lambda: stream_text(moto, name), wanted) == wanted
    said(moto, "stream", "delete", name, "--yes")


def test_dead_letters_of_a_local_queue_are_shown_and_put_back(tmp_path: Path) -> None:
    furnish(tmp_path)
    assert run(tmp_path, "queue", "send", "work", "poison", "--group", "g").stdout == (
        "sent 1 message\n"
    )
    file = QueueFile(tmp_path / "sinks" / "queues.sqlite3")
    file.extend([file.receive("work", 1, 60)[0].receipt], 0)
    file.close()
    receive = ("queue", "receive", "work", "--receives", "1")
    assert "no message" in run(tmp_path, *receive).stderr
    assert run(tmp_path, "queue", "dead", "work").stdout == "poison\n"
    assert run(tmp_path, "queue", "redrive", "work").stdout == "put 1 message back\n"
    assert run(tmp_path, *receive).stdout == "poison\n"


def test_messages_are_sent_to_a_local_queue_by_command(tmp_path: Path) -> None:
    nowhere = run(tmp_path / "other", "queue", "send", "work", "x")
    assert "there is no Thing Tank in" in nowhere.output
    assert not (tmp_path / "other").exists()
    furnish(tmp_path)
    sent = run(tmp_path, "queue", "send", "work", "-", typed="one\n\ntwo\n" * 1000)
    assert sent.stdout == "sent 2,000 messages\n"
    received = run(tmp_path, "queue", "receive", "work", "--count", "2000").stdout
    assert received == "one\ntwo\n" * 1000
    long = run(tmp_path, "queue", "send", "work", "-", typed="x\n" * 1000 + "y" * (2**20 + 1))
    assert long.exit_code != 0
    assert "message 1,001 has 1,048,577 bytes" in long.output
    assert "the first 1,000 are sent, no more" in long.output
    assert "must not be blank" in run(tmp_path, "queue", "send", "", "x").output
