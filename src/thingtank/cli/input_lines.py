"""Lines of standard input, for commands that take - where one text may stand."""

import sys
from collections.abc import Iterator


def input_lines(chars_max: int) -> Iterator[str]:
    """Lines that are not blank; of one that is longer than `chars_max` a first part comes alone."""
    while line := sys.stdin.readline(chars_max):
        if text := line.rstrip("\n"):
            yield text
