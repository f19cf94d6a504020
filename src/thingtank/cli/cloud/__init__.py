"""`thingtank cloud`: what is made and looked at in an AWS account, or in a stand-in for one."""

import click

from thingtank.cli.cloud.check import check
from thingtank.cli.cloud.cluster import cluster
from thingtank.cli.cloud.database import database
from thingtank.cli.cloud.deploy import deploy
from thingtank.cli.cloud.group import destroy, rollback, scale, status
from thingtank.cli.cloud.instance import instance
from thingtank.cli.cloud.local import local
from thingtank.cli.cloud.queue import queue
from thingtank.cli.cloud.stream import stream
from thingtank.cli.cloud.table import table
from thingtank.cli.cloud.upload import upload


@click.group()
def cloud() -> None:
    """AWS: an account, or a stand-in on this machine.

    Which one says section [aws] of the settings. Keys come from where AWS's own programs have them.
    """


for command in (
    check, local, instance, deploy, status, scale, rollback, destroy, upload, database, table,
    stream, queue, cluster,
):  # fmt: skip
    cloud.add_command(command)
