"""How the simulator's device is told from others, whatever it is called by then: a property."""

from collections.abc import Mapping
from typing import Any

MARK = "simulates"
MARKED_AS = "weather"


def is_simulated(properties: Mapping[str, Any]) -> bool:
    """Whether a device with these properties is a simulator's."""
    return properties.get(MARK) == MARKED_AS
