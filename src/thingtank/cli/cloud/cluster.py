"""`thingtank cloud cluster`: clusters of Amazon EMR that run; `thingtank batch run` makes them."""

from typing import TYPE_CHECKING

import click

from thingtank.cli.cloud.session import aws_command
from thingtank.cli.options import json_option, yes_option

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients


@click.group()
def cluster() -> None:
    """Clusters of EMR: what runs, and so costs."""


@cluster.command("list")
@json_option
@aws_command
def list_all(clients: "AwsClients", as_json: bool) -> None:
    """List clusters that have not ended."""
    import msgspec

    from thingtank.cli.output import print_json, print_table
    from thingtank.cloud.emr import running

    found = running(clients)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    print_table(
        ("id", "name", "state", "made", "instance hours"),
        [msgspec.structs.astuple(each) for each in found],
        "No cluster runs. One is made by: thingtank batch run --on emr …",
    )


@cluster.command()
@click.argument("cluster_id")
@yes_option
@aws_command
def terminate(clients: "AwsClients", yes: bool, cluster_id: str) -> None:
    """End a cluster and what runs on it."""
    from thingtank.cloud.emr import terminate as terminate_cluster

    if not yes:
        click.confirm(f"End cluster {cluster_id}, with all that runs on it?", abort=True)
    terminate_cluster(clients, cluster_id)
    click.echo(f"Cluster {cluster_id} is ending.")
