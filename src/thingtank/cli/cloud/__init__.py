"""`thingtank cloud`: what is made and looked at in an AWS account, or in a stand-in for one."""

import click

from thingtank.cli.cloud.check import check
from thingtank.cli.cloud.cluster import cluster
from thingtank.cli.cloud.local import local


@click.group()
def cloud() -> None:
    """AWS: an account, or a stand-in on this machine.

    Which one says section [aws] of the settings. Keys come from where AWS's own programs have them.
    """


for command in (check, local, cluster):
    cloud.add_command(command)
