"""What listings show. Times are microseconds since the epoch, UTC; the command line words them."""

from typing import Annotated

import msgspec

from thingtank.tank.things import Location


class Refused(Exception):
    """The operation was not carried out; the message is for people."""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Paged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of a listing is asked for, from 1."""

    page: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 1
    per_page: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100

    @property
    def rows(self) -> slice:
        """The page's part of all rows."""
        return slice((self.page - 1) * self.per_page, self.page * self.per_page)


class DeviceRow(msgspec.Struct, frozen=True):
    """A device in a list.

    Attributes:
        last_us: when it last said something; None for never.
    """

    feed_id: int
    uuid: str
    title: str
    owner: str
    private: bool
    channel_count: int
    last_us: int | None


class ChannelRow(msgspec.Struct, frozen=True):
    """A channel with its current value; None while nothing was written."""

    name: str
    value: str | None
    at_us: int | None
    unit: str
    tags: tuple[str, ...]


class DeviceDetails(DeviceRow, frozen=True):
    """A device with its metadata and channels."""

    description: str
    tags: tuple[str, ...]
    location: Location | None
    channels: list[ChannelRow]


class KeyRow(msgspec.Struct, frozen=True):
    """A key without its secret.

    Attributes:
        feeds: the feeds it is narrowed to, each perhaps to one channel (`7/temperature`); empty
            for all its owner can reach.
        is_master: whether it may do everything its owner may.
    """

    key_id: int
    label: str
    owner: str
    methods: tuple[str, ...]
    feeds: tuple[str, ...]
    is_master: bool
    private_access: bool
    expires_us: int | None


class RevealedKey(KeyRow, frozen=True):
    """A key with its secret."""

    api_key: str
