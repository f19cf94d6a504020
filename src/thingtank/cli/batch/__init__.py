"""`thingtank batch`: a mapper and a reducer over many lines, here or on a cluster."""

import click

from thingtank.cli.batch.run import run
from thingtank.cli.batch.schedule import schedule


@click.group()
def batch() -> None:
    """Count over many lines: MapReduce, on this machine or on Amazon EMR."""


for command in (run, schedule):
    batch.add_command(command)
