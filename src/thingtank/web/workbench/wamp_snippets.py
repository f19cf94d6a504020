"""Programs to copy that connect to a realm: a publisher and a subscriber, for today's Autobahn."""

import json

from thingtank.web.workbench.http_snippets import INTERVAL_S, SECRET

TOPIC = "test-topic"
PROCEDURE = "tank.datapoints.record"


def subscriber_snippet(url: str, realm: str, login: str = "") -> str:
    """A program that prints what is published to TOPIC.

    Args:
        login: of the account that it comes in as, by password; anonymously if blank.
    """
    return f'''\
# pip install autobahn
{_imports("", login)}
{_component(url, realm, login)}

@component.subscribe("{TOPIC}")
def heard(*args, **kwargs):
    print("heard", args, kwargs)


run([component])
'''


def publisher_snippet(url: str, realm: str, login: str = "") -> str:
    """A program that publishes the time to TOPIC, once a second.

    Args:
        login: as above.
    """
    return f'''\
# pip install autobahn
{_imports("import asyncio|import time", login)}
{_component(url, realm, login)}

@component.on_join
async def joined(session, details):
    while True:
        session.publish("{TOPIC}", time.strftime("%X"))
        await asyncio.sleep(1)


run([component])
'''


def recording_program(url: str, realm: str, feed_id: int, channel: str) -> str:
    """A program in Python that writes a value again and again, with a key as ticket."""
    return f'''\
# pip install autobahn
import asyncio
import random

from autobahn.asyncio.component import Component, run

component = Component(
    transports={_text(url)},
    realm={_text(realm)},
    authentication={{"ticket": {{"ticket": "{SECRET}"}}}},
)


@component.on_join
async def joined(session, details):
    value = 21.5
    while True:
        value += random.uniform(-0.2, 0.2)  # read your sensor here
        values = {{{json.dumps(channel)}: round(value, 1)}}
        await session.call("{PROCEDURE}", {feed_id}, values, creates_missing=True)
        print("written:", values, flush=True)
        await asyncio.sleep({INTERVAL_S})


run([component])
'''


def recording_script(url: str, realm: str, feed_id: int, channel: str) -> str:
    """The same for Node."""
    return f"""\
// npm install autobahn ws
const autobahn = require("autobahn");
globalThis.WebSocket ??= require("ws"); // Node has one of its own from version 22 on

const connection = new autobahn.Connection({{
  url: {json.dumps(url)},
  realm: {json.dumps(realm)},
  authmethods: ["ticket"],
  onchallenge: () => "{SECRET}",
}});

connection.onopen = async (session) => {{
  let value = 21.5;
  while (session.isOpen) {{
    value += Math.random() * 0.4 - 0.2; // read your sensor here
    const values = {{ {json.dumps(channel)}: Number(value.toFixed(1)) }};
    await session.call("{PROCEDURE}", [{feed_id}, values], {{ creates_missing: true }});
    console.log("written:", values);
    await new Promise((resolve) => setTimeout(resolve, {INTERVAL_S * 1000}));
  }}
}};
connection.onclose = (reason, details) => console.log(reason, details.message ?? "");
connection.open();
"""


def _imports(names: str, login: str) -> str:
    lines = names.split("|") if names else []
    if login:
        lines.append("from getpass import getpass")
    own = "from autobahn.asyncio.component import Component, run\n"
    return "\n".join([*lines, "", own]) if lines else own


def _component(url: str, realm: str, login: str) -> str:
    if not login:
        return f"component = Component(transports={_text(url)}, realm={_text(realm)})\n"
    return f"""\
component = Component(
    transports={_text(url)},
    realm={_text(realm)},
    authentication={{"wampcra": {{"authid": {_text(login)}, "secret": getpass()}}}},
)
"""


def _text(value: str) -> str:
    """As a literal of Python, in double quotes where that is possible."""
    plain = repr(value)
    return f'"{value}"' if plain == f"'{value}'" and '"' not in value else plain
