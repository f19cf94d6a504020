"""Names that AWS takes, so that others are refused where they are written down.

By the API references of SQS (CreateQueue), Kinesis (StreamName) and DynamoDB (TableName); buckets
are in `addresses`. What begins with `arn:`, or is an address, is left to AWS.
"""

import re
from typing import Literal

from thingtank.aws.addresses import bucket_problem

Named = Literal["bucket", "queue", "stream", "table"]

_RULES = {
    "queue": (r"(?=.{1,80}\Z)[A-Za-z0-9_-]+(\.fifo)?", "1 to 80 letters, digits, hyphens and _"),
    "stream": (r"[A-Za-z0-9_.-]{1,128}", "1 to 128 letters, digits, dots, hyphens and _"),
    "table": (r"[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits, dots, hyphens and _"),
}


def check_name(what: Named, name: str) -> None:
    """Refuse a name that AWS would not take.

    Raises:
        ValueError: the message says which, and what is right.
    """
    if not name:
        raise ValueError(f"`{what}` is blank")
    if name.startswith(("arn:", "http://", "https://")):
        return
    if what == "bucket":
        problem = bucket_problem(name)
    else:
        pattern, words = _RULES[what]
        also = ", and may end in .fifo" if what == "queue" else ""
        problem = "" if re.fullmatch(pattern, name) else f"a name has {words}{also}"
    if problem:
        raise ValueError(f"AWS takes no {what} named {name[:100]!r}: {problem}")
