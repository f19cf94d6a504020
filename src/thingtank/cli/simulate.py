"""`thingtank simulate`: the weather simulator of the first page, from a terminal."""

import time
from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import data_option, json_option, owner_option


@click.command()
@owner_option
@click.option(
    "--interval",
    type=click.FloatRange(1, 3600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="From one report to the next.",
)
@click.option(
    "--count", type=click.IntRange(1), help="Stop after so many reports; default: at Ctrl-C."
)
@json_option
@data_option
def simulate(data: Path, owner: str, interval: float, count: int | None, as_json: bool) -> None:
    """Report made-up weather to a running server, by HTTP as any device.

    The first time it makes a device, "Weather simulator", and a key that may only write to it. A
    day of history comes first, or what is missing since its last report.
    """
    import asyncio  # only where it is needed: it is a quarter of what a command costs

    from thingtank.cli.session import Refusal, running_server

    server = running_server(data)
    if server is None:
        raise Refusal(f"no server runs on {data}; start one with: thingtank serve --data {data}")
    try:
        device = server.call("simulator.prepare", {"owner": owner})
    finally:
        server.close()
    click.echo(f"Reporting to {device['url']}/feeds/{device['feed_id']}", err=True)
    try:
        asyncio.run(_report(device, interval, count, as_json))
    except KeyboardInterrupt:
        return


class _Enough(Exception):
    """As many reports as were asked for."""


async def _report(device: Any, interval_s: float, count: int | None, as_json: bool) -> None:
    from thingtank.cli.session import Refusal
    from thingtank.simulator.feed_writer import FeedWriter, WriteFailed
    from thingtank.simulator.station import Progress, Station
    from thingtank.simulator.weather import Weather

    def told(progress: Progress) -> None:
        if progress.problem:
            click.echo(progress.problem, err=True)
            return
        click.echo(_line_of(progress, as_json))
        if progress.report_count == count:
            raise _Enough

    try:
        async with FeedWriter(device["url"], device["feed_id"], device["api_key"]) as writer:
            weather = Weather(device["feed_id"])
            station = Station(writer, weather, time.time, told, interval_s)
            await station.run(device["history_s"])
    except WriteFailed as error:
        raise Refusal(str(error)) from None
    except _Enough:
        return


def _line_of(progress: Any, as_json: bool) -> str:
    if as_json:
        import json

        return json.dumps({"at": progress.at_s, "values": progress.values})
    clock = time.strftime("%H:%M:%S", time.localtime(progress.at_s))
    return "  ".join([clock, *(f"{name} {value}" for name, value in progress.values.items())])
