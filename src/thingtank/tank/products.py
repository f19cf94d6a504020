"""Products and their devices: what devices are provisioned from, before they have a feed.

A product is a template and a list of serials. A device knows its serial and its activation code,
which nobody can compute without the product's secret; with the code it fetches a feed and a key.

Source: Xively API v2, products, devices, provisioning.
"""

import csv
import hashlib
import hmac
import re
import secrets
import string
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.tank.changes import changed, ordered_tags
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.random_text import random_text
from thingtank.tank.things import (
    DESCRIPTION_CHARS_MAX,
    TEXT_CHARS_MAX,
    Datastream,
    Device,
    datastream_problems,
    device_problems,
    text_problems,
)

DEVELOP_SERIAL_CHARS = 12
SERIAL_CHARS_MAX = TEXT_CHARS_MAX
PROBLEMS_SHOWN_MAX = 10  # of a refused list of serials

State = Literal["develop", "deploy"]

_SERIAL = re.compile(r"[A-Za-z0-9+\-,_:]+\Z")
_PRODUCT_ID = re.compile(r"[A-Za-z0-9_\-]{1,20}\Z")
_SERIAL_RULE = "may hold only letters, digits and + - , _ :"


class FeedTemplate(msgspec.Struct, frozen=True):
    """What the feed of an activated device begins with; Xively's `feed_defaults`.

    Attributes:
        title: blank for the product's name with the serial behind it.
        datastreams: drafts, with `stream_id` and `device_id` 0.
    """

    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    private: bool = True
    website: str = ""
    datastreams: tuple[Datastream, ...] = ()


class Product(msgspec.Struct, frozen=True):
    """A kind of device.

    Attributes:
        product_id: 20 characters of URL-safe base64; what URLs name it by.
        secret: 40 hexadecimal digits, the key of its devices' activation codes.
        state: `develop` for one device that is being worked on, `deploy` for a list of serials.
        devices_count, activated_devices_count: as of when it was read, and 0 where they were not
            asked for: counting a long list takes its time.
    """

    product_id: str
    account_id: int
    secret: str
    name: str
    description: str = ""
    template: FeedTemplate = FeedTemplate()
    state: State = "deploy"
    created_us: int = 0
    devices_count: int = 0
    activated_devices_count: int = 0


class FeedTemplateChange(msgspec.Struct, frozen=True):
    """New values for a template; UNSET ones stay. Datastreams are replaced as a whole."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    website: str | UnsetType = UNSET
    datastreams: tuple[Datastream, ...] | UnsetType = UNSET


class ProductChange(msgspec.Struct, frozen=True):
    """New values for a product; UNSET ones stay."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    template: FeedTemplateChange | UnsetType = UNSET


class ProductDevice(msgspec.Struct, frozen=True):
    """One serial of a product.

    Attributes:
        activation_code: 40 hexadecimal digits; whoever has it may activate the device once.
        activated_us: None while it is not active.
        feed_id: its feed while it is active and the feed exists.
        key_id: its key while it is active and the key exists.
    """

    product_id: str
    serial: str
    activation_code: str
    created_us: int
    activated_us: int | None = None
    feed_id: int | None = None
    key_id: int | None = None


def activation_code(secret: str, serial: str) -> str:
    """The code that activates a serial: HMAC-SHA1 under the product's secret, in lower case.

    Args:
        secret: 40 hexadecimal digits.
        serial: ASCII.

    Source: Xively API v2, "Activation code"; HMAC-SHA1 is the service's choice, and firmware holds
    its results.
    """
    return hmac.new(bytes.fromhex(secret), serial.encode("ascii"), hashlib.sha1).hexdigest()


def new_product_id() -> str:
    """A fresh id: 20 random characters."""
    return random_text(15)


def new_product_secret() -> str:
    """A fresh secret: 20 random bytes in hexadecimal."""
    return secrets.token_hex(20)


def is_product_id(text: str) -> bool:
    """Tell whether a text from a URL may be a product's id at all."""
    return _PRODUCT_ID.match(text) is not None


def new_serial() -> str:
    """A serial for a device that is being worked on."""
    characters = string.ascii_uppercase + string.digits
    return "".join(secrets.choice(characters) for _ in range(DEVELOP_SERIAL_CHARS))


def changed_product(product: Product, change: ProductChange) -> Product:
    """`product` with `change`; its tags as they are kept."""
    template = product.template
    if change.template is not UNSET:
        template = changed(template, change.template)
    streams = tuple(
        msgspec.structs.replace(stream, tags=ordered_tags(stream.tags))
        for stream in template.datastreams
    )
    template = msgspec.structs.replace(
        template, tags=ordered_tags(template.tags), datastreams=streams
    )
    return changed(product, msgspec.structs.replace(change, template=template))


def product_problems(product: Product, datastreams_max: int) -> list[tuple[str, str]]:
    """What is wrong with a product's content, in Xively's words: (field, message) pairs.

    Args:
        datastreams_max: how many its template may have.
    """
    problems = [] if product.name.strip() else [("name", "can't be blank")]
    problems += text_problems({"name": product.name})
    problems += text_problems({"description": product.description}, DESCRIPTION_CHARS_MAX)
    template = product.template
    found = device_problems(
        Device(
            device_id=0,
            uuid="",
            account_id=0,
            title=template.title or "made of the product's name",
            description=template.description,
            tags=template.tags,
            website=template.website,
        )
    )
    if len(template.datastreams) > datastreams_max:
        found.append(("datastreams", f"are too many (maximum is {datastreams_max})"))
    else:
        found += _datastreams_problems(template.datastreams)
    return problems + [(f"feed_defaults_{field}", message) for field, message in found]


def _datastreams_problems(datastreams: Sequence[Datastream]) -> list[tuple[str, str]]:
    problems = [
        (f"datastreams_{field}", message)
        for datastream in datastreams
        for field, message in datastream_problems(datastream)
    ]
    counts = Counter(datastream.name for datastream in datastreams)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        problems.append(("datastreams_id", f"is there more than once: {', '.join(repeated)[:200]}"))
    return list(dict.fromkeys(problems))


def feed_title(product: Product, serial: str) -> str:
    """The title of a feed made from a product's template."""
    if product.template.title.strip():
        return product.template.title
    name = product.name[: max(0, TEXT_CHARS_MAX - len(serial) - 1)]
    return f"{name} {serial}".strip()[:TEXT_CHARS_MAX]


def serial_problem(serial: str) -> str:
    """What is wrong with a serial; blank when nothing is."""
    if not serial:
        return "can't be blank"
    if len(serial) > SERIAL_CHARS_MAX:
        return f"is too long (maximum is {SERIAL_CHARS_MAX} characters)"
    return "" if _SERIAL.match(serial) else _SERIAL_RULE


def check_serials(serials: Sequence[str], serials_max: int) -> None:
    """Check a list of serials that is to be added whole or not at all.

    Raises:
        ValidationFailed: it is empty, or some are bad or there twice; names their rows, from 1.
        LimitReached: more than `serials_max`.
    """
    if len(serials) > serials_max:
        raise LimitReached(f"{len(serials)} serials at once; at most {serials_max} are allowed")
    if not serials:
        raise ValidationFailed([("devices", "can't be blank")])
    rows: dict[str, int] = {}
    found = []
    for row, serial in enumerate(serials, 1):
        message = serial_problem(serial)
        if not message and serial in rows:
            message = f"is in row {rows[serial]} already"
        rows.setdefault(serial, row)
        if message:
            found.append((row, serial, message))
    refuse_rows(found)


def refuse_rows(found: Sequence[tuple[int, str, str]]) -> None:
    """Raise ValidationFailed for rows of a list of serials, if there are any.

    Args:
        found: row from 1, the serial there, what is wrong with it. Only the first few are told.
    """
    problems = [
        ("", f'Row {row}: serial "{serial[:40]}" {message}')
        for row, serial, message in found[:PROBLEMS_SHOWN_MAX]
    ]
    if len(found) > len(problems):
        problems.append(("", f"{len(found) - len(problems)} more rows are refused"))
    if problems:
        raise ValidationFailed(problems)


def parse_serials(text: str, serials_max: int) -> list[str]:
    r"""Serials from a CSV file, or a list of one a line; not yet checked.

    A first line that has a column `serial` names the column; without one there is only one column,
    and a serial that holds a comma stands in quotes. Blank lines are left out, and so is a byte
    order mark, which spreadsheets write.

    Raises:
        ValidationFailed: a row cannot be read; names it.
        LimitReached: more than `serials_max` rows.
    """
    rows = csv.reader(text.removeprefix("\ufeff").splitlines(), strict=True)
    serials: list[str] = []
    column, columns_max = 0, 1
    is_first = True
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            named = _serial_column(cells) if is_first else None
            is_first = False
            if named is not None:
                column, columns_max = named, len(cells)
                continue
            if len(serials) >= serials_max:
                raise LimitReached(f"more than {serials_max} serials at once are not allowed")
            serials.append(_cell(cells, column, columns_max, rows.line_num))
    except csv.Error as error:
        raise ValidationFailed([("", f"Line {rows.line_num}: {error}")]) from None
    return serials


def _serial_column(cells: Sequence[str]) -> int | None:
    names = [cell.strip().lower() for cell in cells]
    return names.index("serial") if "serial" in names else None


def _cell(cells: Sequence[str], column: int, columns_max: int, line: int) -> str:
    if len(cells) > columns_max:
        hint = "put a serial that holds a comma in quotes"
        raise ValidationFailed([("", f"Line {line}: has {len(cells)} columns; {hint}")])
    return cells[column].strip() if column < len(cells) else ""
