"""What pages show of products and their devices: states and labels."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from thingtank.tank.access import Caller
from thingtank.tank.actions.products import get_product, get_product_device
from thingtank.tank.errors import NoSuchProduct, NoSuchProductDevice
from thingtank.tank.products import Product, ProductDevice
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.workbench.pages import address_of
from thingtank.web.workbench.qr_codes import qr_svg

FeedState = Literal["none", "gone", "activated", "deactivated", "replaced"]


class FeedProvision(msgspec.Struct, frozen=True):
    """Where a feed comes from.

    Attributes:
        state: `none` was made without a product; `gone` lost its product or serial; `activated` is
            its device's feed now; `deactivated` was, and the device may be activated afresh;
            `replaced`, the device has another feed by now.
    """

    state: FeedState
    product: Product | None = None
    device: ProductDevice | None = None


async def read_provision(tank: Tank, caller: Caller, feed: Device) -> FeedProvision:
    """The product and serial that a feed was made from; for who may change the feed."""
    if not feed.product_id:
        return FeedProvision("none")
    try:
        product = await get_product(tank, caller, feed.product_id)
        row = await get_product_device(tank, caller, feed.product_id, feed.device_serial)
    except (NoSuchProduct, NoSuchProductDevice):
        return FeedProvision("gone")
    return FeedProvision(_state(row.device, feed.device_id), product, row.device)


def _state(device: ProductDevice, feed_id: int) -> FeedState:
    if device.activated_us is None:
        return "deactivated"
    return "activated" if device.feed_id == feed_id else "replaced"


def activation_url(request: HttpRequest, code: str) -> str:
    """The address that a label's QR code holds."""
    return address_of(request, reverse("workbench:activate", args=[code]))


class Label(msgspec.Struct, frozen=True):
    """A device on the sheet.

    Attributes:
        code_parts: the activation code in pieces that the eye can follow.
    """

    serial: str
    code_parts: Sequence[str]
    qr: SafeString


def label_of(request: HttpRequest, device: ProductDevice) -> Label:
    """A device's label; its QR code opens the activation page."""
    code = device.activation_code
    return Label(device.serial, parts_of(code), qr_svg(activation_url(request, code)))


def parts_of(code: str) -> list[str]:
    """A code in pieces of eight."""
    return [code[start : start + 8] for start in range(0, len(code), 8)]
