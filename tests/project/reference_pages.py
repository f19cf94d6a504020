"""Pages of reference whose rows name the tests that show them, such as `test_file.py::test_name`."""

import re
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).parents[2]


class ReferencePage:
    """One page.

    Attributes:
        text: all of it.
        named: the tests that it names, as file and function.
    """

    def __init__(self, name: str, folder: str) -> None:
        """Read a page of docs/reference.

        Args:
            folder: where its tests are whose file does not begin with `tests/`.
        """
        self.text = (ROOT / "docs/reference" / name).read_text()
        self.named = sorted(set(re.findall(r"`([\w/.]+\.py)::(\w+)`", self.text)))
        self._folder = ROOT / folder

    def has_test(self, file: str, name: str) -> bool:
        """Whether there is such a test."""
        path = (ROOT if file.startswith("tests/") else self._folder) / file
        pattern = rf"^ *(?:(?:async )?def {name}\(|{name} = )"
        return path.is_file() and re.search(pattern, path.read_text(), re.M) is not None

    def rows(self, begin: str = "") -> list[str]:
        """The rows of all tables, from a heading on; without their heads."""
        lines = self.text[self.text.index(f"\n{begin}") :].splitlines()
        return [
            line
            for line, next_line in zip(lines, [*lines[1:], ""], strict=True)
            if line.startswith("| ") and "| --- " not in f"{line}{next_line} "
        ]

    def rows_without_test(self, begin: str) -> list[str]:
        """The rows from a heading on that name no test."""
        return [row for row in self.rows(begin) if "::" not in row]

    def section(self, heading: str) -> str:
        """What stands under a heading of the second level."""
        return self.text.split(f"\n## {heading}\n")[1].split("\n## ")[0]

    def settings(self, section: str) -> set[str]:
        """The settings of a section of the settings file that it names."""
        return set(re.findall(rf"`{section}\.(\w+)`", self.text))

    def settings_told(self, section: str, heading: str) -> set[str]:
        """Those that it names under a heading."""
        return set(re.findall(rf"`{section}\.(\w+)`", self.section(heading)))


def unknown(named: Collection[str], known: Collection[str]) -> list[str]:
    """What is named, and is not there."""
    return sorted(set(named) - set(known))
