"""Programs to copy that connect to a realm: a publisher and a subscriber, for today's Autobahn."""

TOPIC = "test-topic"


def subscriber_snippet(url: str, realm: str) -> str:
    """A program that prints what is published to TOPIC."""
    return f"""\
# pip install autobahn
from autobahn.asyncio.component import Component, run

component = Component(transports="{url}", realm="{realm}")


@component.subscribe("{TOPIC}")
def heard(*args, **kwargs):
    print("heard", args, kwargs)


run([component])
"""


def publisher_snippet(url: str, realm: str) -> str:
    """A program that publishes the time to TOPIC, once a second."""
    return f"""\
# pip install autobahn
import asyncio
import time

from autobahn.asyncio.component import Component, run

component = Component(transports="{url}", realm="{realm}")


@component.on_join
async def joined(session, details):
    while True:
        session.publish("{TOPIC}", time.strftime("%X"))
        await asyncio.sleep(1)


run([component])
"""
