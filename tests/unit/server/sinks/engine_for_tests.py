"""An engine's module as the table of engines names it; hands out engines in memory by key."""

import msgspec
from tests.unit.sinks.rules.fake_engine import FakeEngine

from thingtank.sinks.engine import EngineParts

NAME = "fake"
made: dict[str, FakeEngine] = {}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the fake is told.

    Attributes:
        key: by which a test finds it, however often the rule is set to work.
    """

    key: str


def make_engine(settings: Settings, parts: EngineParts) -> FakeEngine:
    return made.setdefault(settings.key, FakeEngine())
