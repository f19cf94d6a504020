"""Users as they stand on the wire, in JSON.

Of the members that the service had, those are kept that describe a person; the others (settings of
its web site, mailings, forum) are ignored when they come in and left out of answers.

Source: Xively API v2, users: known only from the tests of one client, txPachube.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.protocols.xively.documents import Text
from thingtank.protocols.xively.json_format import decode, serialize
from thingtank.protocols.xively.members import text_of_member


class UserDocument(msgspec.Struct, frozen=True):
    """A user as a client sends it: UNSET members stay.

    Attributes:
        first_name, last_name: taken from `full_name` where a client sends only that.
        password: ours; the service's own interface had none.
    """

    login: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    about: str | UnsetType = UNSET
    website: str | UnsetType = UNSET
    organisation: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    password: str | None = None

    def __repr__(self) -> str:  # a password must not get into a log
        return f"UserDocument(login={self.login!r}, …)"


class _UserWire(msgspec.Struct, gc=False):
    login: Text = UNSET
    email: Text = UNSET
    full_name: Text = UNSET
    first_name: Text = UNSET
    last_name: Text = UNSET
    about: Text = UNSET
    website: Text = UNSET
    organisation: Text = UNSET
    time_zone: Text = UNSET
    password: str | None = None


class _WrappedUser(msgspec.Struct, gc=False):
    user: _UserWire


_USER = msgspec.json.Decoder(_WrappedUser, float_hook=str)


def parse_user(body: bytes) -> UserDocument:
    """Read a user, an object with `user`.

    Raises:
        MalformedBody, Unprocessable. Neither message holds any of its values.
    """
    wire = decode(_USER, body).user
    first_name, last_name = text_of_member(wire.first_name), text_of_member(wire.last_name)
    full_name = text_of_member(wire.full_name)
    if full_name is not UNSET and first_name is UNSET and last_name is UNSET:
        first_name, _, last_name = " ".join(full_name.split()).rpartition(" ")
        if not first_name:
            first_name, last_name = last_name, ""
    return UserDocument(
        login=text_of_member(wire.login),
        email=text_of_member(wire.email),
        first_name=first_name,
        last_name=last_name,
        about=text_of_member(wire.about),
        website=text_of_member(wire.website),
        organisation=text_of_member(wire.organisation),
        time_zone=text_of_member(wire.time_zone),
        password=wire.password or None,
    )


class UserBody(msgspec.Struct, gc=False, kw_only=True):
    """A user in an answer.

    Attributes:
        roles: `admin` and `user`, or `user` alone.
        api_key: only where the caller may see one.
    """

    login: str
    email: str
    full_name: str
    first_name: str
    last_name: str
    about: str
    website: str
    organisation: str
    time_zone: str
    roles: Sequence[str]
    api_key: str | UnsetType = UNSET


class _UserEnvelope(msgspec.Struct, gc=False):
    user: UserBody


def serialize_user(body: UserBody) -> bytes:
    """Write a user, wrapped in `user`."""
    return serialize(_UserEnvelope(body))


def serialize_users(bodies: Sequence[UserBody]) -> bytes:
    """Write users as a list at the top, each wrapped in `user`."""
    return serialize([_UserEnvelope(body) for body in bodies])
