"""A server with a process that sends, for a test that kills it: prints that one's number."""

import asyncio
import contextlib
import sys

import structlog

from thingtank.aws.settings import AwsSettings
from thingtank.server.sinks.sending.calls import Open, Setup
from thingtank.server.sinks.sending.process import SendingFault, SendingProcess


async def main(folder: str) -> None:
    process = SendingProcess(Setup(AwsSettings(), 1, 1.0, folder, None))
    link = await process.link()
    with contextlib.suppress(SendingFault):  # there is no such rule; but it answers
        await link.call(Open(link.next_number(), 1))
    print(link.pid, flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1]))
