"""Small pieces of markup that many templates use."""

import datetime
from typing import Literal
from urllib.parse import urlencode, urlsplit

import msgspec
from django import template
from django.forms import BoundField
from django.http import QueryDict
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString

from thingtank.tank.things import Device
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench import delivery_panels, outcomes

register = template.Library()

NO_TIME = "never"


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite, hidden from screen readers: the text beside it says it."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("workbench/icons.svg"),
        name,
    )


@register.simple_tag
def moment(at_us: int | None, style: str = "age") -> SafeString | str:
    """A time that the page's script shows as the reader's own; UTC without it.

    Args:
        at_us: microseconds since the epoch, UTC; None says never.
        style: `age` or `due` (both ticking), `date`, or `clock` with seconds.
    """
    if at_us is None:
        return NO_TIME
    try:
        at = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    except (OverflowError, ValueError):
        return NO_TIME
    return format_html(
        '<time datetime="{}" data-moment="{}" data-at-ms="{}">{}</time>',
        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        style,
        at_us // 1000,
        at.strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


@register.simple_tag
def map_tiles() -> SafeString | str:
    """What the settings say of a tile server, as attributes for the scripts that make maps."""
    settings = web_settings()
    if not settings.map_tiles_url:
        return ""
    return format_html(
        ' data-tiles="{}" data-tiles-attribution="{}"',
        settings.map_tiles_url,
        settings.map_tiles_attribution,
    )


@register.simple_tag
def key_url(name: str, key_id: int | None, device: Device | Literal[""] | None) -> str:
    """A key's page, reached from a device's page or from the account's keys.

    Args:
        name: `add`, `edit`, `reveal`, `regenerate` or `delete`.
        key_id: None for `add`.
        device: none in the account's list, which templates hand over as a blank.
    """
    group = "key" if device else "keys"
    args = [device.device_id] if device else []
    return reverse(f"workbench:{group}_{name}", args=args + ([] if key_id is None else [key_id]))


@register.simple_tag
def opened_with(field: BoundField) -> SafeString | str:
    """What a field was opened with, hidden, in a form that asks for it (`ChangeForm`)."""
    return field.as_hidden(only_initial=True) if field.field.show_hidden_initial else ""


@register.filter
def is_web_address(text: str) -> bool:
    """Whether a text that a device gave may be made a link."""
    return urlsplit(text).scheme in ("http", "https")


@register.filter
def shown_target(target: str) -> str:
    """Where a trigger sends to, without a password that it may hold."""
    return delivery_panels.shown_target(target)


@register.simple_tag
def query(current: QueryDict, **changes: object) -> str:
    """The address's query with some terms changed; blank ones are left out."""
    terms = {name: current[name] for name in current} | changes
    return "?" + urlencode(
        {name: value for name, value in terms.items() if value not in ("", None)}
    )


@register.filter
def per_second(per_s: float) -> str:
    """How often something happens in a second, in few digits."""
    return outcomes.rate_text(per_s)


@register.filter
def count(number: int) -> str:
    """A whole number with commas between thousands, as the pages' scripts write it."""
    return f"{number:,}"


@register.filter
def newer(page_number: int, page_count: int) -> int:
    """The page before one: the last that there is, where an address asks for more."""
    return min(page_number - 1, page_count)


@register.filter
def marked(text: str) -> SafeString:
    """A sentence whose names stand in backticks, with these as code."""
    parts = enumerate(str(text).split("`"))
    return format_html_join("", "{}", ((_code(part) if n % 2 else part,) for n, part in parts))


def _code(text: str) -> SafeString:
    return format_html("<code>{}</code>", text)


@register.filter
def safe_json(value: object, element_id: str) -> SafeString:
    """Django's `json_script` for msgspec structs as well."""
    return json_script(msgspec.to_builtins(value), element_id)
