"""What the server says when it is ready: addresses, the way in, and the first line to try."""

import sys

import click

from thingtank.server.assemble import Instance
from thingtank.web.workbench.http_snippets import EXAMPLE_CHANNEL, SECRET, curl_line

_ONLY_IF_OPEN = frozenset({"wamp_tls", "wamp_unix", "mqtt_tls", "mqtt_unix"})

Greeting = dict[str, str | int | dict[str, str] | None]

_SOCKETS = {
    "wamp": "WAMP",
    "wamp_tls": "WAMP with TLS",
    "wamp_unix": "WAMP, Unix socket",
    "socket": "Xively TCP socket",
    "websocket": "Xively WebSocket",
    "sockjs": "Xively SockJS",
    "mqtt": "MQTT",
    "mqtt_tls": "MQTT with TLS",
    "mqtt_unix": "MQTT, Unix socket",
    "skynet": "SkyNet",
}


def greeting_of(instance: Instance) -> Greeting:
    """All there is to say, as values."""
    url = instance.url
    owner = instance.owner
    return {
        "url": url,
        "welcome_url": url + instance.welcome_path if url and instance.welcome_path else "",
        "feed_id": owner.feed_id,
        "api_key": owner.api_key,
        "sockets": dict(instance.sockets),
    }


def first_value_line(greeting: Greeting) -> str:
    """The curl line that writes a value to the owner's first feed; blank when there is none."""
    if not greeting["url"] or not greeting["feed_id"]:
        return ""
    line = curl_line(f"{greeting['url']}/v2/feeds/{greeting['feed_id']}", EXAMPLE_CHANNEL)
    return line.replace(SECRET, str(greeting["api_key"]))


def print_greeting(greeting: Greeting, *, with_link: bool) -> None:
    """Print it for people, on standard output; it holds secrets and so never goes to the log.

    Args:
        with_link: print the owner's one-time link. Where standard output is kept, as by a service
            manager, a link at each start is a way in for who may read that.
    """
    click.secho("Thing Tank is ready.", bold=True)
    click.echo(f"  Web and Xively API   {greeting['url'] or 'off'}")
    sockets = greeting["sockets"]
    assert isinstance(sockets, dict)
    for name, label in _SOCKETS.items():
        if name in sockets or name not in _ONLY_IF_OPEN:
            click.echo(f"  {label:<20} {sockets.get(name, 'off')}")
    if greeting["welcome_url"] and not with_link:
        click.echo(f"\nSign in: {greeting['url']}/sign-in")
        click.echo("  or by a link that works once: thingtank user link NAME")
    elif greeting["welcome_url"]:
        click.echo("\nOpen the workbench as its owner (works once, for an hour):")
        click.echo(f"  {greeting['welcome_url']}")
    line = first_value_line(greeting)
    if line:
        click.echo("\nWrite a first value:")
        click.echo(f"  {line}")
    click.echo("\nCtrl-C stops.")
    sys.stdout.flush()
