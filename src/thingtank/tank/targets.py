"""Where deliveries go: URLs and e-mail addresses, taken apart and checked. No look-ups here."""

import re
from typing import Literal
from urllib.parse import unquote, urlsplit

import idna
import msgspec

URL_CHARS_MAX = 2048
ADDRESS_CHARS_MAX = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
LOCAL_PART_CHARS_MAX = 64

_UNSAFE = re.compile(r"[^\x21-\x7e]")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?\Z")
_IP6_HOST = re.compile(r"[0-9a-f:.]+\Z")


class BadTarget(ValueError):
    """A URL or an address that nothing can be delivered to. The message never quotes it."""


class WebhookTarget(msgspec.Struct, frozen=True):
    """A webhook's URL in its parts.

    Attributes:
        host: lower case, ASCII; an IPv6 address without brackets.
        path: with the query, as it is sent.
        user, password: from the URL, unquoted; None when it has none.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str
    user: str | None = None
    password: str | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be logged."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_url(url: str) -> WebhookTarget:
    """Take a webhook's URL apart.

    Raises:
        BadTarget: it is no http or https URL with a host.
    """
    if len(url) > URL_CHARS_MAX:
        raise BadTarget(f"the URL is longer than {URL_CHARS_MAX} characters")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise BadTarget("the URL cannot be read") from None
    if parts.scheme == "http":
        scheme: Literal["http", "https"] = "http"
    elif parts.scheme == "https":
        scheme = "https"
    else:
        raise BadTarget("the URL must begin with http:// or https://")
    if not host:
        raise BadTarget("the URL has no host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # urlsplit drops tabs and newlines; other characters would end the request line or a header,
    # and browsers take a backslash for a slash.
    if _UNSAFE.search(path) or any(character in url for character in "\t\r\n\\"):
        raise BadTarget("the URL has characters that must be percent-encoded")
    return WebhookTarget(
        scheme,
        _ascii_host(host),
        _port(port, scheme),
        path,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def parse_address(address: str) -> str:
    """An e-mail address of one recipient, its domain in ASCII.

    Raises:
        BadTarget: it is none.
    """
    local_part, at, domain = address.rpartition("@")
    if not at or len(local_part) > LOCAL_PART_CHARS_MAX or not _LOCAL_PART.match(local_part):
        raise BadTarget("the address must be one plain e-mail address, name@example.org")
    plain = f"{local_part}@{_ascii_host(domain.lower())}"
    if len(plain) > ADDRESS_CHARS_MAX:
        raise BadTarget(f"the address is longer than {ADDRESS_CHARS_MAX} characters")
    return plain


def host_of(channel: str, target: str) -> str:
    """Which peer a delivery depends on: a URL's origin; all e-mail leaves by one server."""
    if channel == "email":
        return "email"
    if channel == "forward":
        return "tank"
    try:
        return parse_url(target).origin
    except BadTarget:
        return "invalid"


def _port(port: int | None, scheme: str) -> int:
    if port is None:
        return 443 if scheme == "https" else 80
    if port == 0:
        raise BadTarget("the URL's port must be within 1 and 65535")
    return port


def _ascii_host(host: str) -> str:
    """A host name as the name service knows it."""
    if ":" in host:
        if not _IP6_HOST.match(host):
            raise BadTarget("the host is not an IPv6 address")
        return host
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            raise BadTarget("the host is not a name that can exist") from None
    if len(host) > 253 or not _HOST.match(host) or any(len(x) > 63 for x in host.split(".")):
        raise BadTarget("the host is not a name that can exist")
    return host
