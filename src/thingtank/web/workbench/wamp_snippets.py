"""Programs to copy that connect to a realm: a publisher and a subscriber, for today's Autobahn."""

TOPIC = "test-topic"


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
