"""`thingtank mqtt`: publish and subscribe, with the flags of mosquitto_pub and mosquitto_sub."""

from pathlib import Path
from typing import Any

import click

from thingtank.cli.mqtt_options import (
    MosquittoCommand,
    Topic,
    TopicFilter,
    connection_options,
)
from thingtank.cli.options import InterruptedGroup

REPEAT_MAX = 1_000_000_000


@click.group(cls=InterruptedGroup)
def mqtt() -> None:
    """Talk MQTT: publish and subscribe, with the flags of mosquitto_pub and mosquitto_sub."""


@mqtt.command(cls=MosquittoCommand)
@click.option("-t", "--topic", type=Topic(), help="Where to publish.")
@click.option("-m", "--message", help="The message.")
@click.option(
    "-f", "--file", type=click.Path(path_type=Path, dir_okay=False), help="A file is the message."
)
@click.option("-s", "--stdin-file", "is_stdin", is_flag=True, help="All of stdin is the message.")
@click.option("-l", "--stdin-line", "is_lines", is_flag=True, help="Each line of stdin is one.")
@click.option("-n", "--null-message", "is_null", is_flag=True, help="An empty message.")
@click.option("-q", "--qos", type=click.IntRange(0, 2), default=0, show_default=True)
@click.option("-r", "--retain", is_flag=True, help="Have it kept for those who subscribe later.")
@click.option(
    "--repeat", type=click.IntRange(1, REPEAT_MAX), default=1, help="Publish it so many times."
)
@click.option(
    "--repeat-delay", "repeat_delay_s", type=click.FloatRange(0, 86_400), default=0.0,
    metavar="SECONDS", help="Wait between them.",
)  # fmt: skip
@click.option(
    "-M", "inflight_max", type=click.IntRange(1, 65_535), default=20, show_default=True,
    help="Most messages of QoS 1 and 2 at once that are not acknowledged.",
)  # fmt: skip
@connection_options
def pub(
    connection: Any,
    url_topic: str,
    topic: str | None,
    repeat: int,
    repeat_delay_s: float,
    qos: int,
    retain: bool,
    **sources: Any,
) -> None:
    """Publish messages, as mosquitto_pub does.

    Without a host it goes to the server of the data folder. Ctrl-C ends it.

    Exit codes: 0 the messages are sent, of QoS 1 and 2 acknowledged; 1 they are not; 2 wrong use;
    if the server refuses the connection its reason code, as MQTT 3.1.1 (1 to 5) and MQTT 5 (128
    and more) number them.
    """
    from thingtank.cli.mqtt_publish import Publishing, publish

    source = _source_of(**sources)
    if source is None and repeat > 1:
        raise click.UsageError("--repeat is not for lines of stdin")
    found = topic or (Topic().convert(url_topic, None, None) if url_topic else None)
    if found is None:
        raise click.UsageError("a topic is missing; give -t")
    publish(connection, Publishing(found, source, qos, retain, repeat, repeat_delay_s))


@mqtt.command(cls=MosquittoCommand)
@click.option(
    "-t", "--topic", "topics", multiple=True, type=TopicFilter(),
    help="What to subscribe to; may be given several times.",
)  # fmt: skip
@click.option(
    "-T", "--filter-out", "filtered_out", multiple=True, type=TopicFilter(),
    help="What not to print; may be given several times.",
)  # fmt: skip
@click.option(
    "-U", "--unsubscribe", "unsubscribed", multiple=True, type=TopicFilter(),
    help="What to unsubscribe from; may be given several times.",
)  # fmt: skip
@click.option("-q", "--qos", type=click.IntRange(0, 2), default=0, show_default=True)
@click.option("-C", "count", type=click.IntRange(1), help="End after so many messages.")
@click.option(
    "-W", "timeout_s", type=click.IntRange(1), metavar="SECONDS",
    help="End after so long, with exit code 27.",
)  # fmt: skip
@click.option("-E", "only_subscribes", is_flag=True, help="End when it is subscribed.")
@click.option("-v", "--verbose", is_flag=True, help="Print the topic before the payload.")
@click.option(
    "-F", "format_text", metavar="FORMAT",
    help="What to print: %t topic, %p payload, %x in hexadecimal, %l its length, %q QoS, %r"
    " retained, %m packet id, %j and %J JSON, %I and %U time, @H and others as strftime has them;"
    " of MQTT 5 %A %C %D %E %F %P %R %S.",
)  # fmt: skip
@click.option("-N", "ends_no_line", is_flag=True, help="No end of line after a message.")
@click.option("--pretty", is_flag=True, help="Indent JSON.")
@click.option("-R", "skips_retained", is_flag=True, help="Do not print retained messages.")
@click.option("--retained-only", is_flag=True, help="End at the first that was not retained.")
@click.option(
    "--remove-retained", "removes_retained", is_flag=True,
    help="Have the server forget each retained message that comes and is not filtered out.",
)  # fmt: skip
@click.option(
    "--retain-as-published", "retains_as_published", is_flag=True,
    help="Leave the retain flag as it was published. MQTT 5.",
)  # fmt: skip
@click.option(
    "--random-filter", "chance_percent", type=click.FloatRange(0.1, 100), default=100.0,
    metavar="PERCENT", help="Print so many of a hundred.",
)  # fmt: skip
@connection_options
def sub(
    connection: Any,
    url_topic: str,
    topics: tuple[str, ...],
    format_text: str | None,
    verbose: bool,
    ends_no_line: bool,
    pretty: bool,
    **rest: Any,
) -> None:
    """Print messages as they come, as mosquitto_sub does, until Ctrl-C.

    Without a host it goes to the server of the data folder. It connects again when the connection
    is lost.

    Exit codes: 0 done; 1 it could not be done; 2 wrong use; 27 the time of -W is up; if the server
    refuses the connection its reason code, as MQTT 3.1.1 (1 to 5) and MQTT 5 (128 and more) number
    them.
    """
    from thingtank.cli.mqtt_output import printer_of
    from thingtank.cli.mqtt_subscribe import Subscribing, subscribe

    if url_topic:
        topics = (*topics, TopicFilter().convert(url_topic, None, None))
    if not topics and not rest["unsubscribed"]:
        raise click.UsageError("a topic is missing; give -t")
    if rest["skips_retained"] and rest["retained_only"]:
        raise click.UsageError("-R and --retained-only leave nothing to print; give one")
    printer = printer_of(format_text, verbose=verbose, ends_line=not ends_no_line, pretty=pretty)
    subscribe(connection, Subscribing(topics=topics, printer=printer, **rest))


def _source_of(
    message: str | None, file: Path | None, is_stdin: bool, is_lines: bool, is_null: bool
) -> bytes | Path | None:
    """Where the message is; None for lines of stdin."""
    given = [message is not None, file is not None, is_stdin, is_lines, is_null]
    if sum(given) != 1:
        raise click.UsageError("give one of -m, -f, -s, -l and -n")
    if message is not None:
        return message.encode(errors="surrogateescape")
    if is_null:
        return b""
    return None if is_lines else file or Path("-")
