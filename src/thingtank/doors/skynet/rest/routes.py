"""Which route does what: every method of every path."""

from thingtank.doors.skynet.rest.requests import Route, Words
from thingtank.doors.skynet.rest.resources import (
    data,
    devices,
    events,
    gateways,
    general,
    messages,
    subscriptions,
    tokens,
    versioned,
)

_V2 = versioned.WORDS
_STREAM = Route(None)
_GATEWAY_CONFIG = Route(gateways.post_config, gateways.WORDS, area="send")

ROUTES: dict[tuple[str, str], Route] = {
    ("/", "GET"): Route(general.status, is_public=True),
    ("/status", "GET"): Route(general.status, is_public=True),
    ("/ipaddress", "GET"): Route(general.ip_address, is_public=True),
    ("/healthcheck", "GET"): Route(general.health, is_public=True),
    ("/publickey", "GET"): Route(general.public_key, is_public=True),
    ("/authenticate/:uuid", "GET"): Route(general.authenticate, is_public=True, takes_token=False),
    ("/authenticate", "POST"): Route(general.authenticate_by_headers),
    # gateways
    ("/gateway/:uuid", "GET"): Route(gateways.get_gateway),
    ("/gatewayConfig", "POST"): _GATEWAY_CONFIG,
    ("/gatewayconfig", "POST"): _GATEWAY_CONFIG,
    # devices
    ("/devices", "GET"): Route(
        devices.get_devices, devices.QUERY_WORDS, takes_token=False, area="discover"
    ),
    ("/devices", "POST"): Route(devices.post_device, devices.REGISTER_WORDS, takes_token=False),
    ("/devices/micro", "POST"): Route(
        devices.post_micro, devices.REGISTER_WORDS, takes_token=False
    ),
    ("/devices/:uuid", "GET"): Route(devices.get_device, devices.READ_WORDS, area="discover"),
    ("/devices/:uuid", "PUT"): Route(devices.put_device, devices.UPDATE_WORDS, area="configure"),
    ("/devices/:uuid", "DELETE"): Route(
        devices.delete_device, devices.UNREGISTER_WORDS, area="configure"
    ),
    ("/devices/:uuid/publickey", "GET"): Route(
        devices.get_public_key, devices.READ_WORDS, area="discover"
    ),
    ("/mydevices", "GET"): Route(devices.get_my_devices, area="discover"),
    ("/mydevices/:uuid", "GET"): Route(devices.get_my_devices, area="discover"),
    ("/localdevices", "GET"): Route(devices.get_local_devices),
    ("/unclaimeddevices", "GET"): Route(devices.get_unclaimed_devices),
    ("/claimdevice/:uuid", "PUT"): Route(devices.claim_device),
    ("/claimdevice/:uuid", "POST"): Route(devices.claim_device),
    # tokens
    ("/devices/:uuid/token", "POST"): Route(
        tokens.reset_token, Words(missing="device"), area="configure"
    ),
    ("/devices/:uuid/tokens", "POST"): Route(
        tokens.create_token, Words(missing="device"), area="configure"
    ),
    ("/devices/:uuid/tokens", "DELETE"): Route(
        tokens.revoke_tokens, Words(missing="device"), area="configure"
    ),
    ("/devices/:uuid/tokens/:token", "DELETE"): Route(
        tokens.revoke_token, Words(missing="device"), area="configure"
    ),
    ("/search/tokens", "POST"): Route(
        tokens.search_tokens, _V2, takes_token=False, area="configure", is_modern=True
    ),
    # messages, events, data
    ("/messages", "POST"): Route(messages.post_message, messages.WORDS, area="send"),
    ("/broadcasts", "POST"): Route(
        messages.post_broadcast, messages.WORDS, area="send", is_modern=True
    ),
    ("/inboundsms", "GET"): Route(messages.get_inbound_sms, messages.WORDS),
    ("/events/:uuid", "GET"): Route(events.get_events, events.WORDS, area="configure"),
    ("/data/:uuid", "POST"): Route(data.post_data, data.WRITE_WORDS, area="configure"),
    ("/data/:uuid", "GET"): Route(data.get_data, data.READ_WORDS, area="receive"),
    # streams
    ("/subscribe", "GET"): _STREAM,
    ("/subscribe/:uuid", "GET"): _STREAM,
    ("/subscribe/:uuid/broadcast", "GET"): _STREAM,
    ("/subscribe/:uuid/received", "GET"): _STREAM,
    ("/subscribe/:uuid/sent", "GET"): _STREAM,
    # with a version
    ("/v2/whoami", "GET"): Route(versioned.whoami, _V2, area="discover", is_modern=True),
    ("/v2/devices", "GET"): Route(
        versioned.get_devices, _V2, takes_token=False, area="discover", is_modern=True
    ),
    ("/v2/devices/:uuid", "GET"): Route(versioned.get_device, _V2, area="discover", is_modern=True),
    ("/v3/devices/:uuid", "GET"): Route(versioned.get_device, _V2, area="discover", is_modern=True),
    ("/v2/devices/:uuid", "PATCH"): Route(
        versioned.patch_device, _V2, area="configure", is_modern=True
    ),
    ("/v2/devices/:uuid", "PUT"): Route(
        versioned.put_device, _V2, area="configure", is_modern=True
    ),
    ("/v2/devices/:uuid/find-and-update", "PUT"): Route(
        versioned.find_and_update, _V2, area="configure", is_modern=True
    ),
    ("/search/devices", "POST"): Route(
        versioned.search_devices, _V2, takes_token=False, area="discover", is_modern=True
    ),
    ("/v2/devices/:uuid/subscriptions", "GET"): Route(
        subscriptions.get_subscriptions, _V2, area="configure", is_modern=True
    ),
    ("/v2/devices/:uuid/subscriptions", "DELETE"): Route(
        subscriptions.delete_subscriptions, _V2, area="configure", is_modern=True
    ),
    ("/v2/devices/:uuid/subscriptions/:emitter/:type", "POST"): Route(
        subscriptions.post_subscription, _V2, area="configure", is_modern=True
    ),
    ("/v2/devices/:uuid/subscriptions/:emitter/:type", "DELETE"): Route(
        subscriptions.delete_subscription, _V2, area="configure", is_modern=True
    ),
}


def methods_of(pattern: str) -> list[str]:
    """The methods of a path, `HEAD` with every `GET` that ends."""
    methods = [method for found, method in ROUTES if found == pattern]
    reads = ROUTES.get((pattern, "GET"))
    return [*methods, "HEAD"] if reads is not None and reads.handler is not None else methods
