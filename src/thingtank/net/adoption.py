"""How a connection is handed to whom it belongs, once that is known."""

import asyncio
from collections.abc import Callable

Adopt = Callable[[asyncio.Transport, bytes], None]
"""Takes over a connection, and what has been read of it."""
