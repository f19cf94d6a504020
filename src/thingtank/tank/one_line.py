"""Texts of others in one line of a page, a mail or a terminal."""


def printable(text: str) -> str:
    """A text without line breaks, control characters and direction marks: each becomes a space.

    A terminal obeys these (ECMA-48), and programs that read lines would see more of them.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " for each in text)


def on_one_line(text: str) -> str:
    """A printable text whose words one space parts, as a form of a page gives it back."""
    return " ".join(printable(text).split())
