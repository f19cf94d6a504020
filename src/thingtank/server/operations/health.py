"""What a server says of its own health."""

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Nothing
from thingtank.server.rule_troubles import RuleTrouble
from thingtank.tank.errors import StorageFailed


class Health(msgspec.Struct, frozen=True):
    """What a server knows of itself.

    Attributes:
        checks: of its readiness by name; none without a server.
        damage: what is wrong with the archive's files, a sentence each.
        rules: of sinks and sources, those that do not work.
    """

    checks: dict[str, bool]
    damage: list[str]
    rules: list[RuleTrouble] = []


async def health(context: Context, _: Nothing) -> Health:
    """Ask the checks, and look at the archive's files."""
    try:
        damage = await context.archive.damage()
    except StorageFailed as error:
        damage = [error.reason]
    return Health(dict(await context.checks()), damage, list(context.troubles()))
