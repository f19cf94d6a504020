"""`thingtank cloud check`: which services answer, and with which identity."""

import sys
from typing import TYPE_CHECKING

import click

from thingtank.cli.cloud.session import aws_command
from thingtank.cli.options import json_option

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.services import Answer


@click.command()
@json_option
@aws_command
def check(clients: "AwsClients", as_json: bool) -> None:
    """Ask each service something harmless; say who is asking and which permission is missing.

    Where nobody tells who is asking, only those are asked that `aws.endpoints` names.
    The exit code is 1 if a service did not answer as it should.
    """
    from thingtank.cli.output import print_facts, print_json, print_table
    from thingtank.cloud.services import answers, found_identity, where_of

    where = where_of(clients)
    identity = found_identity(clients)
    found = list(answers(clients, are_all=identity is not None))
    if as_json:
        print_json({
            "account": identity and identity.account, "identity": identity and identity.arn,
            "where": where,
            "services": [_plain(each) for each in found],
        })  # fmt: skip
    else:
        who = identity or (None, None)
        print_facts([("account", who[0]), ("identity", who[1]), ("where", where)])
        click.echo()
        rows = [(each.probe.service, each.probe.what_for, _said(each)) for each in found]
        print_table(("service", "what for", "answer"), rows, "")
    sys.exit(any(each.failure for each in found))


def _said(answer: "Answer") -> str:
    from thingtank.tank.failures import FailureKind

    failure = answer.failure
    if failure is None:
        return "ok"
    if failure.kind is FailureKind.NOT_ALLOWED:
        return f"needs the permission {answer.probe.action}: {failure}"
    return str(failure)


def _plain(answer: "Answer") -> dict[str, object]:
    failure = answer.failure
    return {
        "service": answer.probe.service,
        "is_ok": failure is None,
        "action": answer.probe.action,
        "code": failure.code if failure else None,
        "message": str(failure) if failure else None,
    }
