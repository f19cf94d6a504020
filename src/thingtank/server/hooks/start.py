"""Sets hooks to work."""

from contextlib import AsyncExitStack
from pathlib import Path

from thingtank.server.deliveries import HookParts
from thingtank.server.hooks.hooks import Hooks
from thingtank.server.hooks.signing_key import SigningKey
from thingtank.tank.outbox import Outbox
from thingtank.tank.tank import Tank


def make_hook_parts(tank: Tank, folder: Path) -> HookParts:
    """What the dispatcher needs to deliver for hooks; the key is in the data folder."""
    key = SigningKey(folder)
    tank.messaging.public_key = key.public_pem
    return HookParts(tank, key.sign)


def start_hooks(tank: Tank, outbox: Outbox, stack: AsyncExitStack) -> None:
    """Begin to hear what devices have sent on; `stack` ends it."""
    hooks = Hooks(tank, outbox)
    hooks.start()
    stack.push_async_callback(hooks.stop)
