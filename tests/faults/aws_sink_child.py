"""A process that writes to a tank whose values go to AWS, until it is killed or all is delivered.

`python -m tests.faults.aws_sink_child FOLDER FIRST SEED URL NAME`: as `sink_child`, with a rule for
each service: a stream, a FIFO queue, a table and a bucket, all called NAME, at URL; and for each of
the local forms, in FOLDER. The process that sends is killed some times meanwhile.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
from pathlib import Path

import structlog
from tests.faults.sink_child import WRITERS, open_tank
from tests.waiting import until

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.server.sinks.selection import Selection
from thingtank.server.sinks.sending.calls import Setup
from thingtank.server.sinks.sending.process import SendingProcess
from thingtank.server.sinks.sending.remote_rule import RemoteRule
from thingtank.server.sinks.sinks import Sinks
from thingtank.sinks.engine import EngineFailed, EngineParts
from thingtank.sinks.rules.settings import SinkRule, SinkSettings
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.tank import Tank

VALUES_A_WRITE = 3
SETTLE_S_MAX = 150.0
SENDING_KILLS = 2


def rules(name: str) -> tuple[SinkRule, ...]:
    to: tuple[dict[str, object], ...] = (
        {"engine": "kinesis", "stream": name},
        {"engine": "sqs", "queue": f"{name}.fifo"},
        {"engine": "dynamodb", "table": name, "hash": "{{feed}}"},
        {"engine": "s3", "bucket": name},
        {"engine": "queue", "queue": name},
        {"engine": "table", "table": name, "hash": "{{feed}}"},
        {"engine": "folder", "folder": name},
    )
    return tuple(SinkRule(str(each["engine"]), each, gather_s=0.05) for each in to)


async def keep_writing(tank: Tank, writer: int, first: int, chance: random.Random) -> None:
    """Slower than a tank can, as stand-ins are slow."""
    number = first
    while True:
        values = range(number, number + VALUES_A_WRITE)
        write = DatastreamWrite("t", list(values), [str(each) for each in values])
        await record_datapoints(tank, OPERATOR, 1000 + writer, [write])
        print(f"acknowledged {writer} {values[-1]}", flush=True)
        number += VALUES_A_WRITE
        await asyncio.sleep(chance.uniform(0.02, 0.1))


async def kill_sending(process: SendingProcess, chance: random.Random) -> None:
    """Kill the process that sends, and those that are begun in its place."""
    for _ in range(SENDING_KILLS):
        await asyncio.sleep(chance.uniform(0.1, 0.8))
        os.kill((await process.link()).pid, signal.SIGKILL)


async def main(folder: Path, first: int, seed: int, url: str, name: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    tank, archive = await open_tank(folder)
    aws = AwsSettings(region="us-east-1", endpoint_url=url)
    parts = EngineParts(lambda: AwsClients(aws), folder)
    # One attempt: each failure is the rule's to see.
    process = SendingProcess(Setup(aws, 1, 15.0, str(folder), None))
    asked = rules(name)
    for rule in asked:  # boto3 is loaded by now, so that there is something to be killed in
        remote = RemoteRule(process, rule, "datapoint", "", 1.0, Selection(rule, tank.directory))
        with contextlib.suppress(EngineFailed):
            await remote.open()
            await remote.close()
    settings = SinkSettings(rules=asked, retry_s_max=0.05)
    sinks = Sinks(tank, archive, settings, parts, process, bytes(32))
    await sinks.start()
    chance = random.Random(seed)
    killing = asyncio.create_task(kill_sending(process, chance))
    if first:
        await asyncio.gather(*(keep_writing(tank, each, first, chance) for each in WRITERS))
    # The stand-in shares its processors with other tests, and takes each thing again and again.
    await until(
        lambda: not any(status.behind_count for status in sinks.statuses()),
        lambda: [each for each in sinks.statuses() if each.behind_count],
        s_max=SETTLE_S_MAX,
    )
    await killing
    missed = sum(status.missed_count for status in sinks.statuses())
    letters = sum(status.letter_count for status in sinks.statuses())
    print("settled", missed, letters, flush=True)
    await sinks.stop()
    await process.stop()
    await archive.close()


if __name__ == "__main__":
    _, data, start, chance_seed, endpoint, own = sys.argv
    asyncio.run(main(Path(data), int(start), int(chance_seed), endpoint, own))
    os._exit(0)  # interpreters that end take their time
