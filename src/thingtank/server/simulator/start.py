"""Brings the workbench and the simulators together."""

from contextlib import AsyncExitStack

from thingtank.server.config import Config
from thingtank.server.listening import reachable_host
from thingtank.server.simulator.simulations import Simulations
from thingtank.tank.tank import Tank
from thingtank.web.workbench import simulators


def open_simulators(config: Config, tank: Tank, port: int, stack: AsyncExitStack) -> None:
    """Let people start simulators, until `stack` stops them all.

    Args:
        port: of the web port, which is open.
    """
    # The port itself, also behind a proxy, which need not be reached from here.
    simulations = Simulations(tank, f"http://{reachable_host(config.server.host)}:{port}")
    stack.push_async_callback(simulations.close)
    simulators.attach(simulations)
    stack.callback(simulators.attach, None)
