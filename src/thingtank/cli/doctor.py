"""`thingtank doctor`: look for what is wrong."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import click
import msgspec

from thingtank.cli.options import config_option, data_option, json_option, set_option
from thingtank.cli.session import Refusal, running_server

if TYPE_CHECKING:
    from thingtank.server.doctor.findings import Finding
    from thingtank.server.rule_troubles import RuleTrouble

_COLORS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@data_option
@config_option
@set_option
@json_option
def doctor(data: Path, file: Path | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Look at settings, disk, clock, ports, permissions, certificates and backups.

    Each line is ok, a warning or a problem, with what to do about it; the exit code is 1 if there
    is a problem. It looks beside a running server too. Give it what you give `thingtank serve`.
    """
    from thingtank.cli.output import print_json
    from thingtank.server.doctor.examination import examine, is_well

    server = _server_of(data)
    examined = examine(
        data, file, sets, addresses=server.addresses, checks=server.checks, damage=server.damage,
        rules=server.rules,
    )  # fmt: skip
    findings = [*server.silence, *examined]
    if as_json:
        rows = [
            {"name": each.name, "level": each.level, "text": each.text, "remedy": each.remedy}
            for each in findings
        ]
        print_json({"is_well": is_well(findings), "findings": rows})
    else:
        for finding in findings:
            _print(finding)
    sys.exit(0 if is_well(findings) else 1)


class _Server(NamedTuple):
    """What the server that runs says of itself.

    Attributes:
        addresses: of its doors; None while none runs.
        silence: what is found of one that does not answer.
    """

    addresses: tuple[str, ...] | None = None
    checks: Mapping[str, bool] = {}
    damage: Sequence[str] = ()
    rules: Sequence["RuleTrouble"] = ()
    silence: Sequence["Finding"] = ()


def _server_of(data: Path) -> _Server:
    from thingtank.server.doctor.findings import problem
    from thingtank.server.rule_troubles import RuleTrouble

    try:
        server = running_server(data)
        if server is None:
            return _Server()
        try:
            found = server.call("server.addresses", {})
            # What goes through the web port is where a proxy in front has it.
            web = urlsplit(found["url"]).netloc
            others = [url for url in found["sockets"].values() if urlsplit(url).netloc != web]
            addresses = [found["local_url"], *others]
            health = server.call("server.health", {})
        finally:
            server.close()
    except Refusal as error:
        remedy = "see its log; if it hangs, end it and start it anew"
        return _Server((), silence=[problem("server", str(error), remedy)])
    rules = msgspec.convert(health.get("rules", ()), tuple[RuleTrouble, ...])
    return _Server(tuple(filter(None, addresses)), health["checks"], health["damage"], rules)


def _print(finding: "Finding") -> None:
    level = click.style(f"{finding.level:<8}", fg=_COLORS[finding.level])
    click.echo(f"{level} {finding.name:<22} {finding.text}")
    if finding.remedy:
        click.echo(f"{'':<31} {finding.remedy}")
