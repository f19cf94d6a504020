"""A device's tokens."""

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import tokens
from thingtank.doors.skynet.rest.replies import NO_CONTENT, Reply, answer
from thingtank.doors.skynet.rest.requests import Request
from thingtank.tank.errors import ValidationFailed


async def reset_token(door: SkynetDoor, request: Request) -> Reply:
    """`POST /devices/:uuid/token`: another root token."""
    token = await tokens.reset(door, request.party, request.uuid)
    return answer({"uuid": request.uuid, "token": token}, 201)


async def create_token(door: SkynetDoor, request: Request) -> Reply:
    """`POST /devices/:uuid/tokens`: one more token."""
    tag = request.text("tag")
    token = await tokens.create(door, request.party, request.uuid, tag)
    shown = {"uuid": request.uuid, "token": token}
    return answer({**shown, "tag": tag} if tag else shown)


async def revoke_token(door: SkynetDoor, request: Request) -> Reply:
    """`DELETE /devices/:uuid/tokens/:token`: it opens nothing any more, if it ever did."""
    await tokens.revoke(door, request.party, request.uuid, request.path.names["token"])
    return NO_CONTENT


async def revoke_tokens(door: SkynetDoor, request: Request) -> Reply:
    """`DELETE /devices/:uuid/tokens?tag=…`: all tokens of a tag."""
    tag = request.text("tag")
    if not tag:
        raise ValidationFailed([("tag", "can't be blank")])
    await tokens.revoke_by_tag(door, request.party, request.uuid, tag)
    return NO_CONTENT


async def search_tokens(door: SkynetDoor, request: Request) -> Reply:
    """`POST /search/tokens`: what is known of tokens but themselves, of `uuid` or of the caller."""
    uuid = request.choice("uuid") or request.party.uuid
    found = await tokens.listing(door, request.party, uuid)
    tag = request.parameters.get("tag", request.parameters.get("metadata.tag"))
    return answer([shown for shown in found if tag is None or shown["tag"] == tag])
