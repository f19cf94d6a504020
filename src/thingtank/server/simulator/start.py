"""Brings the workbench and the simulators together."""

from contextlib import AsyncExitStack

from thingtank.server.simulator.simulations import Simulations
from thingtank.tank.tank import Tank
from thingtank.web.workbench import simulators


def open_simulators(tank: Tank, url: str, stack: AsyncExitStack) -> None:
    """Let people start simulators, until `stack` stops them all.

    Args:
        url: of the web port, which is open, as this machine reaches it.
    """
    simulations = Simulations(tank, url)
    stack.push_async_callback(simulations.close)
    simulators.attach(simulations)
    stack.callback(simulators.attach, None)
