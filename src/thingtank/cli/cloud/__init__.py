"""`thingtank cloud`: what is made and looked at in an AWS account, or in a stand-in for one."""

import click

from thingtank.cli.cloud.check import check
from thingtank.cli.cloud.deploy import deploy
from thingtank.cli.cloud.group import destroy, scale, status
from thingtank.cli.cloud.instance import instance
from thingtank.cli.cloud.local import local


@click.group()
def cloud() -> None:
    """AWS: an account, or a stand-in on this machine.

    Which one says section [aws] of the settings. Keys come from where AWS's own programs have them.
    """


for command in (check, deploy, destroy, instance, local, scale, status):
    cloud.add_command(command)
