"""Tokens and public keys of devices, as Meshblu has them."""

from thingtank.doors.skynet.operations import devices, tokens
from thingtank.doors.skynet.refusals import Refusal
from thingtank.doors.skynet.sockets.events.asking import (
    Answer,
    Asking,
    EventSpec,
    acting,
    body_of,
    refuse_plainly,
)
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.tokens import uuid_key


def _named(asking: Asking) -> Asking:
    """The same, where the argument may be the uuid itself."""
    first = asking.args[0] if asking.args else None
    if isinstance(first, str) and not body_of(first):
        return asking._replace(args=({"uuid": first},))
    return asking


async def _public_key(asking: Asking) -> Answer:
    """Acknowledged by an error or null, and the key or null."""
    asking = _named(asking)
    device = await devices.read(asking.client.door, acting(asking), asking.uuid, is_legacy=False)
    return None, device.properties.get("publicKey")


def _refuse_public_key(asking: Asking, refusal: Refusal) -> Answer:
    return (refusal.error(),)


async def _reset(asking: Asking) -> Answer:
    asking = _named(asking)
    client, uuid = asking.client, asking.uuid
    token = await tokens.reset(client.door, acting(asking), uuid)
    if uuid_key(uuid) == uuid_key(client.party.uuid) and client.party.token:
        client.renew(token)
    return ({"uuid": uuid, "token": token},)


async def _create(asking: Asking) -> Answer:
    asking = _named(asking)
    uuid, tag = asking.uuid, asking.text("tag")
    token = await tokens.create(asking.client.door, acting(asking), uuid, tag)
    return ({"uuid": uuid, "token": token, **({"tag": tag} if tag else {})},)


async def _revoke(asking: Asking) -> Answer:
    """The token is the one that is to go; so it proves nothing here."""
    uuid, token = asking.uuid, asking.text("token")
    if not token:
        raise ValidationFailed([("token", "is missing")])
    await tokens.revoke(asking.client.door, acting(_without_token(asking)), uuid, token)
    return ({"uuid": uuid},)


async def _revoke_by_query(asking: Asking) -> Answer:
    uuid, tag = asking.uuid, asking.text("tag")
    if not tag:
        raise ValidationFailed([("tag", "is missing")])
    await tokens.revoke_by_tag(asking.client.door, acting(_without_token(asking)), uuid, tag)
    return ({"uuid": uuid},)


def _without_token(asking: Asking) -> Asking:
    return asking._replace(args=({**asking.body, "token": None},))


SPECS = {
    "getPublicKey": EventSpec(_public_key, _refuse_public_key),
    "resetToken": EventSpec(_reset, refuse_plainly),
    "generateAndStoreToken": EventSpec(_create, refuse_plainly),
    "revokeToken": EventSpec(_revoke, refuse_plainly),
    "revokeTokenByQuery": EventSpec(_revoke_by_query, refuse_plainly),
}
