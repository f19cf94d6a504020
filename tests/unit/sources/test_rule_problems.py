"""What is wrong with rules of sources, in words."""

import tomllib
from pathlib import Path

import pytest

from thingtank.server.config import BadSettings, load_config

STREAM = 'name = "in"\nengine = "kinesis"\nstream = "s"\n'
QUEUE = 'name = "in"\nengine = "sqs"\nqueue = "q"\n'


def load(folder: Path, *rules: str) -> None:
    file = folder / "thingtank.toml"
    file.write_text("".join(f"[[sources.rules]]\n{rule}\n" for rule in rules))
    load_config(file, {})


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('name = "a b"\nengine = "sqs"\nqueue = "q"', "`name` must be 1 to 40 letters"),
        ('name = "in"\nengine = "kinesis"', "in: `stream` must be given, as the engine is kinesis"),
        ('name = "in"\nengine = "queue"', "`queue` must be given"),
        (QUEUE + 'stream = "s"', "`stream` is for the engine kinesis"),
        (STREAM + 'queue = "q"', "`queue` is for the engine sqs or queue"),
        (QUEUE + 'leases = "table"', "`leases` is for the engine kinesis"),
        (STREAM + 'leases = "a b"', "`leases` must be 3 to 255 letters"),
        (STREAM + 'start = "now"', "`start` must be latest, oldest, or a time such as"),
        (QUEUE + "visibility_s = 0", "`visibility_s` must be within 1 and 43200"),
        (QUEUE + "receives_max = 0", "`receives_max` must be 1 or more, not 0"),
        ('name = "in"\nengine = "rabbit"', 'must be "kinesis", "queue" or "sqs", not \'rabbit\''),
        (QUEUE + "poll = 1", "there is no setting `sources.rules[0].poll`"),
    ],
)
def test_a_rule_that_cannot_be_right_is_refused(tmp_path: Path, rule: str, problem: str) -> None:
    assert tomllib.loads(rule)
    with pytest.raises(BadSettings) as refused:
        load(tmp_path, rule)
    assert problem in str(refused.value)


def test_two_rules_have_two_names(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="two rules are called in"):
        load(tmp_path, STREAM, QUEUE)


@pytest.mark.parametrize("start", ["latest", "oldest", "2026-11-27T08:00:00Z", "2026-11-27"])
def test_a_stream_is_read_from_a_word_or_a_time(tmp_path: Path, start: str) -> None:
    load(tmp_path, STREAM + f'start = "{start}"\nleases = "leases.of-tanks"\nfeed = 7')
