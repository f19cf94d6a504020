"""How a command that waits for AWS says what it does."""

import io
import sys

import pytest

from thingtank.cli.cloud.progress import Lines


class BrokenOff(io.StringIO):
    """Standard error at which Ctrl-C comes just after the first line was written."""

    is_new = True

    def write(self, text: str) -> int:
        count = super().write(text)
        if text and self.is_new:
            self.is_new = False
            raise KeyboardInterrupt
        return count


def test_line_at_which_ctrl_c_comes_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = BrokenOff()
    monkeypatch.setattr(sys, "stderr", said)
    with Lines() as told:
        with pytest.raises(KeyboardInterrupt):
            told.did("Made a group")
        told.did("It goes on")
    assert said.getvalue() == "Made a group\nIt goes on\n"
