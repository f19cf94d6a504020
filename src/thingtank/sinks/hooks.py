"""Delivery of what a device has sent on: to a web address, or to another device.

What is sent the outbox keeps; how, with which headers and credentials, the device's record says at
the moment of the attempt. So a hook that is taken away is tried no more, and its secrets are in no
other file.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from functools import partial

import msgspec
import structlog

from thingtank.sinks.http_attempts import HttpAttempts, Request
from thingtank.sinks.outcome import Outcome, Verdict
from thingtank.tank.access import STRANGER
from thingtank.tank.actions.messages import send_message
from thingtank.tank.actions.tokens import lend_token, take_back_token
from thingtank.tank.deliveries import Delivery
from thingtank.tank.errors import LimitReached, NoSuchDevice, Overloaded, StorageFailed, TankError
from thingtank.tank.messaging.hooks import Hook, SentOn, find_hook, forwarded, may_send_on
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

log = structlog.get_logger()

HOOK = "hook"
FORWARD = "forward"
KEY_ID = "meshblu-webhook-key"
FORWARD_TOPIC = "config"

Sign = Callable[[bytes], Awaitable[bytes]]

_decoder = msgspec.json.Decoder(SentOn)


class _Gone(Exception):
    """The device, or its hook, is there no more."""


class HookSink:
    """Posts to web addresses. Implements `sinks.outcome.Sink`."""

    def __init__(self, tank: Tank, attempts: HttpAttempts, sign: Sign) -> None:
        """Make a sink.

        Args:
            sign: RSA with SHA-256 (PKCS #1 1.5) by this server's key; raises StorageFailed.
        """
        self._tank = tank
        self._attempts = attempts
        self._sign = sign

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send a request once."""
        try:
            device, hook, sent_on = _found(self._tank, delivery)
            async with self._lent_token(device, hook, delivery) as token:
                make = partial(self._request, delivery, device, hook, sent_on, token)
                return await self._attempts.attempt(hook.target, make)
        except _Gone as error:
            return Outcome(Verdict.REFUSED, error=str(error))
        except (LimitReached, StorageFailed) as error:
            return Outcome(Verdict.RETRY, error=str(error))

    @asynccontextmanager
    async def _lent_token(
        self, device: Device, hook: Hook, delivery: Delivery
    ) -> AsyncIterator[str]:
        """A token of the device for as long as the request takes; blank where none is asked for."""
        if not hook.lends_token:
            yield ""
            return
        # A crash between the two leaves the token until the delivery is tried again.
        tag = f"hook {delivery.delivery_id}"
        try:
            token = await lend_token(self._tank, device.device_id, tag)
        except NoSuchDevice:
            raise _Gone("the device is gone") from None
        try:
            yield token
        finally:
            try:
                await take_back_token(self._tank, device.device_id, token)
            except StorageFailed as error:
                log.error(
                    "lent_token_stays", device_id=device.device_id, tag=tag, reason=str(error)
                )

    async def _request(
        self, delivery: Delivery, device: Device, hook: Hook, sent_on: SentOn, token: str
    ) -> Request:
        headers = {
            "content-type": "application/json",
            **hook.headers,
            "webhook-id": delivery.message_id,
            "x-meshblu-message-type": sent_on.type,
            "x-meshblu-uuid": device.uuid,
        }
        if token:
            pair = base64.b64encode(f"{device.uuid}:{token}".encode()).decode()
            headers["authorization"] = f"Bearer {pair}"
        if hook.signs:
            await self._add_signature(headers)
        return Request(hook.method, headers, msgspec.json.encode(sent_on.content))

    async def _add_signature(self, headers: dict[str, str]) -> None:
        """Sign date and device, in the header that is free.

        Source: Signing HTTP Messages, draft-cavage-http-signatures-10, 3 and 4.
        """
        headers["date"] = formatdate(self._tank.clock.now_us() / 1_000_000, usegmt=True)
        signature = base64.b64encode(await self._sign(signed_text(headers))).decode()
        parameters = (
            f'keyId="{KEY_ID}",algorithm="rsa-sha256",headers="date x-meshblu-uuid",'
            f'signature="{signature}"'
        )
        if "authorization" in headers:
            headers["signature"] = parameters
        else:
            headers["authorization"] = f"Signature {parameters}"


class ForwardSink:
    """Sends to other devices, in the name of the one that forwards. Implements the same."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send once."""
        try:
            device, hook, sent_on = _found(self._tank, delivery)
            return await self._send(device, hook, sent_on)
        except _Gone as error:
            return Outcome(Verdict.REFUSED, error=str(error))
        except (Overloaded, StorageFailed) as error:
            return Outcome(Verdict.RETRY, error=str(error))
        except TankError as error:
            return Outcome(Verdict.REFUSED, error=str(error))

    async def _send(self, device: Device, hook: Hook, sent_on: SentOn) -> Outcome:
        content = sent_on.content
        if not isinstance(content, dict) or not may_send_on(content, device.uuid):
            return Outcome(Verdict.REFUSED, error="it would go in circles")
        message = forwarded(content, device.uuid, hook.target)
        party = Party(STRANGER, device)
        sent = await send_message(self._tank, party, message, origin=sent_on.origin)
        if any(receipt.outcome == "undeliverable" for receipt in sent.receipts):
            return Outcome(Verdict.REFUSED, error="there is no such device that it may send to")
        return Outcome(Verdict.DELIVERED)


def signed_text(headers: Mapping[str, str]) -> bytes:
    """What a signature is made of."""
    return f"date: {headers['date']}\nx-meshblu-uuid: {headers['x-meshblu-uuid']}".encode()


def _found(tank: Tank, delivery: Delivery) -> tuple[Device, Hook, SentOn]:
    try:
        device = tank.directory.get_device(delivery.device_id)
    except NoSuchDevice:
        raise _Gone("the device is gone") from None
    sent_on = _decoder.decode(delivery.body)
    hook = find_hook(device, sent_on.list_name, sent_on.type, delivery.target)
    if hook is None:
        raise _Gone(f"the device has this no more in meshblu.{sent_on.list_name}")
    return device, hook, sent_on
