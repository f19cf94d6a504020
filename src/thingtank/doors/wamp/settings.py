"""Settings of the WAMP door; section `wamp`."""

from typing import Literal

import msgspec

from thingtank.doors.wamp.realm_settings import RealmSettings


class WampSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `wamp`: WebSocket at `/ws` and RawSocket; Xively's WebSocket is at `/`.

    Attributes:
        port: 0 for any free one.
        realms: those that there are.
    """

    port: int | Literal["off"] = 8080
    realms: tuple[RealmSettings, ...] = (RealmSettings("realm1"),)
