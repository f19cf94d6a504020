"""A job in words, of its options: no values of variables, which may be secret."""

from collections.abc import Sequence
from pathlib import PurePath

WORD_CHARS_MAX = 80


def job_words(options: Sequence[str]) -> str:
    """What a job does, for a list: `sequence-count of 123`, `mapper.py | uniq -c`.

    Args:
        options: of `thingtank batch run`, each a name and its value.
    """
    given: dict[str, list[str]] = {}
    for name, value in zip(options[::2], options[1::2], strict=False):
        given.setdefault(name, []).append(value)
    variables = dict(text.partition("=")[::2] for text in given.get("--env", ()))
    words = _programs(given)
    if "--job" in given:
        sequence = variables.pop("SEQ", "")
        words = _short(given["--job"][0]) + (f" of {_short(sequence)}" if sequence else "")
    if variables:
        words += f", with {_short(', '.join(variables))}"
    place = given.get("--on", ["here"])[0]
    return words if place == "here" else f"{words}, on {place}"


def _programs(given: dict[str, list[str]]) -> str:
    if "--sql" in given:
        return f"query {_short(PurePath(given['--sql'][0]).name)}"
    return " | ".join(_short(given[name][0]) for name in ("--mapper", "--reducer") if name in given)


def _short(text: str) -> str:
    return text if len(text) <= WORD_CHARS_MAX else f"{text[:WORD_CHARS_MAX]}…"
