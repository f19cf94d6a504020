"""Names that AWS takes: it says so only after a while, and not how one should be.

Source: AWS, DynamoDB, EC2, Kinesis and SQS: naming rules and quotas.
"""

import re
from typing import NamedTuple

from thingtank.cloud.errors import NotTaken


class NameRule(NamedTuple):
    """What names of one kind are, as pattern and in words."""

    kind: str
    pattern: re.Pattern[str]
    words: str


TABLE = NameRule(
    "table", re.compile(r"[A-Za-z0-9_.-]{3,255}\Z"), "3 to 255 of letters, digits, _ . and -"
)
INSTANCE = NameRule(  # also of a security group and a file
    "instance", re.compile(r"(?!i-)[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}\Z"),
    "1 to 80 of letters, digits, spaces, . _ and -, begins with a letter or digit, and not with i-"
)  # fmt: skip
STREAM = NameRule(
    "stream", re.compile(r"[A-Za-z0-9_.-]{1,128}\Z"), "1 to 128 of letters, digits, _ . and -"
)
QUEUE = NameRule(
    "queue", re.compile(r"(?!.{81})[A-Za-z0-9_-]+(\.fifo)?\Z"),
    "1 to 80 of letters, digits, _ and -, and may end with .fifo",
)  # fmt: skip


def check_name(rule: NameRule, name: str) -> None:
    """Refuse a name that AWS would refuse.

    Raises:
        NotTaken.
    """
    if not rule.pattern.match(name):
        article = "an" if rule.kind[0] in "aeiou" else "a"
        raise NotTaken(f"{name!r} cannot be the name of {article} {rule.kind}: it has {rule.words}")
