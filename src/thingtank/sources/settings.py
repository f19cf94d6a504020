"""Settings of sources; section `sources` of the settings file.

```toml
[[sources.rules]]
name = "readings"
engine = "kinesis"
stream = "temperature"
start = "oldest"
```

`rule_problems.py` says what is wrong with a rule that has the right types.
"""

from typing import Literal

import msgspec


class SourceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One `[[sources.rules]]`: where data comes from, and whose it becomes.

    Attributes:
        name: its own, for the pages and the log: letters, digits, `-` and `_`, at most 40. The
            place that it has reached in a stream is kept by it: a rule with another name begins
            afresh.
        engine: `kinesis`, a stream at AWS; `sqs`, a queue at AWS; or `queue`, one of this machine,
            such as a rule of sinks fills.
        stream: the name of the stream.
        queue: the name of the queue.
        feed: the device of what does not name one itself: the number of its feed, or its uuid.
        owner: the login of the account whose rights count; blank for the instance's owner.
        start: where a stream is read from at first: `latest`, what comes from then on; `oldest`,
            all that it still has; or a time in quotes, such as `"2026-11-27T08:00:00Z"`.
        create_missing: whether datastreams that a device does not have yet are made.
        leases: a table of DynamoDB by which several servers share a stream, those whose rules have
            the same name; made if it is missing. Blank where this server reads it alone.
        visibility_s: for so long a message of a queue is hidden from other readers; it is told
            that work goes on while it does.
        receives_max: a message of a `queue` that was refused so often becomes a dead letter there.
            At AWS the queue itself says so.
    """

    name: str
    engine: Literal["kinesis", "sqs", "queue"]
    stream: str = ""
    queue: str = ""
    feed: int | str = ""
    owner: str = ""
    start: str = "latest"
    create_missing: bool = True
    leases: str = ""
    visibility_s: int = 60
    receives_max: int = 5


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How data of other systems comes in.

    Attributes:
        rules: those that there are, each a `[[sources.rules]]`.
        retry_s_max: the longest pause between two attempts.
        rejected_max: records of one rule's stream that are kept, as something of them could not be
            written, to be looked at and tried again; older ones are dropped.
        rejected_bytes_max: how many bytes they may have; older ones are dropped.
    """

    rules: tuple[SourceRule, ...] = ()
    retry_s_max: float = 60.0
    rejected_max: int = 1000
    rejected_bytes_max: int = 16 * 1024 * 1024
