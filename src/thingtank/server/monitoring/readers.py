"""Who may read what is not for strangers."""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from django.http.request import split_domain_port, validate_host

from thingtank.net.identity.secret_sources import SecretSource, UnreadableSecret
from thingtank.server.cannot_start import CannotStart
from thingtank.server.monitoring.settings import MetricsSettings
from thingtank.server.trusted_proxies import is_vouched_for
from thingtank.web.django_settings import LOOPBACK_HOSTS

# Whether the sender of an ASGI request's headers is signed in as an admin.
IsAdmin = Callable[[list[tuple[bytes, bytes]]], Awaitable[bool]]

_FORWARDED = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
_BEARER = b"bearer "


class Readers:
    """Those who may read metrics and details."""

    def __init__(
        self, settings: MetricsSettings, is_admin: IsAdmin, hosts: Sequence[str] = LOOPBACK_HOSTS
    ) -> None:
        """Know them.

        Args:
            hosts: names of this server, as in `web.allowed_hosts`.

        Raises:
            CannotStart: the token cannot be read.
        """
        self._networks = [ipaddress.ip_network(each) for each in settings.allowed_networks]
        self._token = _token_of(settings)
        self._is_admin = is_admin
        self._hosts = tuple(hosts)

    async def includes(self, scope: Mapping[str, Any]) -> bool:
        """Whether the sender of an ASGI request is one of them."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if self._has_token(headers) or self._is_near(scope, headers):
            return True
        return any(name == b"cookie" for name, _ in headers) and await self._is_admin(headers)

    def _has_token(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        shown = next((value for name, value in headers if name == b"authorization"), b"")
        if not self._token or not shown.lower().startswith(_BEARER):
            return False
        return hmac.compare_digest(shown[len(_BEARER) :].strip(), self._token)

    def _is_near(self, scope: Mapping[str, Any], headers: Sequence[tuple[bytes, bytes]]) -> bool:
        # Another site's page in a browser on this machine may have a name lead here: what is near
        # counts for who asks by an address, as probes and balancers do, or by a name of ours.
        if not _is_named(headers, self._hosts):
            return False
        client = scope.get("client")
        # An unknown proxy on this machine would make all the world look as if it were here.
        is_passed_on = any(name in _FORWARDED for name, _ in headers)
        if client is None or (is_passed_on and not is_vouched_for(scope)):
            return False
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def _is_named(headers: Sequence[tuple[bytes, bytes]], hosts: Sequence[str]) -> bool:
    """Whether a request is to an address, or to one of our names; also where it does not say."""
    shown = next((value for name, value in headers if name == b"host"), b"").decode("latin-1")
    if not shown:
        return True
    host, _ = split_domain_port(shown)
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return bool(host) and validate_host(host, hosts)
    return True


def _token_of(settings: MetricsSettings) -> bytes:
    if not settings.token_file and not settings.token_variable:
        return b""
    source = SecretSource(file=settings.token_file, environment=settings.token_variable)
    try:
        return source.read().encode()
    except UnreadableSecret as error:
        raise CannotStart(f"the token of metrics {error}") from None
