"""How commands show what others have written."""

import json

import pytest

from thingtank.cli.output import print_facts, print_json, print_table

FOREIGN = "\x1b]0;owned\x07\x1b[2J\nsecond\u2028line\x9b2J\u202e\ud800"


def test_json_carries_foreign_text_whole_and_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = {"näme": [FOREIGN, "\x7f\x80\x9f\u200f𝄞 ü"], "empty": {}}
    print_json(answer)
    said = capsys.readouterr().out
    assert json.loads(said) == answer
    assert all(line.isprintable() for line in said.split("\n"))
    assert "\\u009b2J" in said
    assert '"näme"' in said
    assert "𝄞 ü" in said


def test_foreign_text_stays_on_its_line_and_moves_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["name", "tags"], [(FOREIGN, ["a", FOREIGN]), ("näme  two", None)], "")
    header, first, second = capsys.readouterr().out.split("\n")[:-1]
    assert (header.split(), second.split()) == (["name", "tags"], ["näme", "two", "-"])
    assert first.isprintable()
    assert first.startswith(" ]0;owned  [2J second line 2J  ")
    assert " a,  ]0;owned  [2J second line 2J" in first
    print_facts([("name", FOREIGN), ("tags", [FOREIGN])])
    lines = capsys.readouterr().out.split("\n")[:-1]
    assert [line.split("  ")[0] for line in lines] == ["name", "tags"]
    assert all(line.isprintable() for line in lines)
