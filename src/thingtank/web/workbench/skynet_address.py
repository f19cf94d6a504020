"""Where the SkyNet door is, for the programs that pages show."""

import msgspec


class SkynetAddress(msgspec.Struct, frozen=True):
    """The door's address.

    Attributes:
        url: such as `http://127.0.0.1:3000`.
        is_everywhere: other machines reach it by this one's names as well.
        is_open: strangers are let in, as in 2014.
    """

    url: str
    is_everywhere: bool = False
    is_open: bool = False


_address: SkynetAddress | None = None


def attach(address: SkynetAddress | None) -> None:
    """Give the pages the address; None where the door is shut."""
    global _address
    _address = address


def address() -> SkynetAddress | None:
    """The address, if the door is open."""
    return _address
