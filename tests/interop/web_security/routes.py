"""Who may look at each page of the web and who may send to it: a line for each of its routes.

A route without a line here fails the tests, so that whoever adds one says who it is for.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

# Who may.
EVERYBODY = "everybody"  # strangers too
SIGN_IN = "sign in"  # whoever asks is led there
LED = "led"  # the same, but an admin is let on, and who is signed in and none is refused
ACCOUNTS = "accounts"  # whoever is signed in
SEEN = "seen"  # who may see the feed; a stranger is led to the sign-in, as by what there is not
FOUND = "found"  # the same, but a stranger is told that there is nothing
OWNED = "owned"  # the account that has it, and admins
SECRET = "secret"  # only the account that has it: an admin is refused
PRIVATE = "private"  # the same: what an admin is told that there is not, as in another's own list
NOBODYS = "nobody's"  # what there is not, for anybody who is signed in
ADMINS = "admins"
ELSEWHERE = "elsewhere"  # looked at by tests of their own, which are named


class Route(NamedTuple):
    """Who may GET it and who may POST to it, "" where neither may; and what is sent.

    Attributes:
        places: names of the path's places whose value stands in the world under another name.
    """

    get: str = ""
    post: str = ""
    fields: Mapping[str, str] = MappingProxyType({})
    places: Mapping[str, str] = MappingProxyType({})


_ACTIVATED = {"feed_id": "activated_feed_id"}

STATION = {"name": "Roof", "timestamp": "1393926310", "temperature": "28", "lat": "1", "lon": "2"}

# In the order in which the owner tries them: what deletes comes last.
ROUTES: dict[str, Route] = {
    "/favicon.ico": Route(EVERYBODY),
    "/admin/login/": Route(LED, LED),
    "/api-auth/login/": Route(SIGN_IN, SIGN_IN),
    "/station": Route(EVERYBODY),
    "/station/{pk}": Route(EVERYBODY),  # leads to the next, with method and body
    "/weather": Route(EVERYBODY),
    "/directory": Route(EVERYBODY),
    "/deliveries": Route(EVERYBODY),
    "/keys": Route(EVERYBODY),
    "/products": Route(EVERYBODY),
    "/messages": Route(EVERYBODY),
    "/sinks": Route(EVERYBODY),
    "/batch": Route(EVERYBODY),
    "/mqtt": Route(EVERYBODY),
    "/wamp": Route(EVERYBODY),
    "/activate": Route(EVERYBODY),
    "/start": Route(EVERYBODY),
    "/map": Route(EVERYBODY),
    "/wall": Route(EVERYBODY),
    "/log": Route(EVERYBODY),
    "/api": Route(EVERYBODY),
    "/api/docs": Route(EVERYBODY),
    "/api/{rest}": Route(ELSEWHERE, ELSEWHERE),  # where nothing is: tests of the API
    "api:docs": Route(EVERYBODY),
    "api:openapi": Route(EVERYBODY),
    "api:openapi_yaml": Route(EVERYBODY),
    "accounts:password": Route(ACCOUNTS, ACCOUNTS),
    "weather:home": Route(EVERYBODY),
    "weather:chart": Route(FOUND),
    "weather:bind": Route(ACCOUNTS, ACCOUNTS),
    "weather:unbind": Route("", OWNED),
    "rest:home": Route(ADMINS),
    "rest:station-list": Route(ADMINS, ADMINS, STATION),
    "rest:station-detail": Route(ADMINS),
    "workbench:devices": Route(ACCOUNTS),
    "workbench:start": Route(ACCOUNTS),
    "workbench:start_dismiss": Route("", ACCOUNTS),
    "workbench:simulator": Route("", ACCOUNTS, {"do": "stop"}),
    "workbench:map": Route(ACCOUNTS),
    "workbench:map_places": Route(ACCOUNTS),
    "workbench:wall": Route(ACCOUNTS),
    "workbench:requests": Route(ACCOUNTS),
    "workbench:device_add": Route(ACCOUNTS, ACCOUNTS),
    "workbench:directory": Route(EVERYBODY),
    "workbench:directory_places": Route(EVERYBODY),
    "workbench:account": Route(ACCOUNTS),
    "workbench:device": Route(SEEN),
    "workbench:metadata": Route(OWNED, OWNED),
    "workbench:location": Route(OWNED, OWNED),
    "workbench:channel_add": Route(OWNED, OWNED),
    "workbench:channel_edit": Route(OWNED, OWNED),
    "workbench:chart": Route(SEEN),
    "workbench:channel_export": Route(SEEN),
    "workbench:key_add": Route(OWNED, OWNED),
    "workbench:key_edit": Route(OWNED, OWNED),
    "workbench:key_reveal": Route("", SECRET),
    "workbench:key_regenerate": Route(OWNED, SECRET),
    "workbench:token_add": Route(OWNED, OWNED),
    "workbench:sending_key": Route("", SECRET),
    "workbench:connect_token": Route("", OWNED),
    "workbench:token_renew": Route(OWNED, OWNED),
    "workbench:properties": Route(OWNED, OWNED),
    "workbench:permission": Route(OWNED, OWNED),
    "workbench:keep": Route(OWNED, OWNED),
    "workbench:events": Route(OWNED),
    "workbench:trigger_add": Route(OWNED, OWNED),
    "workbench:backtest": Route("", OWNED),
    "workbench:trigger_edit": Route(OWNED, OWNED),
    "workbench:trigger_enable": Route("", OWNED, {"enabled": "1"}),
    "workbench:trigger_test": Route("", OWNED),
    "workbench:trigger_history": Route(OWNED, OWNED),
    "workbench:deliveries": Route(ACCOUNTS),
    "workbench:delivery": Route(OWNED),
    "workbench:delivery_retry": Route("", OWNED),
    "workbench:delivery_cancel": Route("", OWNED),
    "workbench:signing_reveal": Route("", ACCOUNTS),
    "workbench:signing_rotate": Route(ACCOUNTS, ACCOUNTS),
    "workbench:keys": Route(ACCOUNTS),
    "workbench:keys_add": Route(ACCOUNTS, ACCOUNTS),
    "workbench:keys_edit": Route(PRIVATE, PRIVATE),
    "workbench:keys_reveal": Route("", PRIVATE),
    "workbench:keys_regenerate": Route(PRIVATE, PRIVATE),
    "workbench:products": Route(ACCOUNTS),
    "workbench:product_add": Route(ACCOUNTS, ACCOUNTS),
    "workbench:product": Route(OWNED),
    "workbench:product_edit": Route(OWNED, OWNED),
    "workbench:product_reveal": Route("", SECRET),
    "workbench:product_deploy": Route(OWNED),
    "workbench:product_serials_add": Route(OWNED, OWNED),
    "workbench:serial": Route(OWNED),
    "workbench:messages": Route(ACCOUNTS),
    "workbench:message_send": Route("", ACCOUNTS),
    "workbench:mqtt": Route(ACCOUNTS),
    "workbench:mqtt_publish": Route("", ACCOUNTS),
    "workbench:mqtt_close": Route(NOBODYS, ACCOUNTS),  # others' clients: tests of the MQTT page
    "workbench:mqtt_delete": Route(NOBODYS, ACCOUNTS),
    "workbench:sinks": Route(ADMINS),
    "workbench:sink_add": Route(ADMINS, ADMINS),
    # Of a rule, which this world has none of: tests/interop/test_sink_pages.py.
    "workbench:sink": Route(ELSEWHERE),
    "workbench:source": Route(ELSEWHERE),
    "workbench:source_retry": Route("", ELSEWHERE),
    "workbench:source_discard": Route("", ELSEWHERE),
    "workbench:source_discard_all": Route(ELSEWHERE, ELSEWHERE),
    "workbench:sink_pause": Route("", ELSEWHERE),
    "workbench:sink_hurry": Route("", ELSEWHERE),
    "workbench:sink_delete": Route(ELSEWHERE, ELSEWHERE),
    "workbench:sink_retry": Route("", ELSEWHERE),
    "workbench:sink_discard": Route("", ELSEWHERE),
    "workbench:sink_discard_all": Route(ELSEWHERE, ELSEWHERE),
    "workbench:batch": Route(ADMINS),
    "workbench:batch_add": Route(ADMINS, ADMINS),
    # Of a schedule, which this world has none of: tests/browser/test_batch.py.
    "workbench:batch_schedule": Route(ELSEWHERE),
    "workbench:batch_run": Route("", ELSEWHERE),
    "workbench:batch_pause": Route("", ELSEWHERE),
    "workbench:batch_delete": Route(ELSEWHERE, ELSEWHERE),
    "workbench:wamp": Route(ACCOUNTS),
    "workbench:wamp_publish": Route("", ACCOUNTS),
    "workbench:wamp_call": Route("", ACCOUNTS),
    "workbench:wamp_close": Route(NOBODYS, ACCOUNTS),  # others' sessions: tests of the WAMP page
    "workbench:enter_code": Route(EVERYBODY, EVERYBODY),
    "workbench:activate": Route(EVERYBODY),  # whoever has the code: tests of provisioning
    "workbench:token_revoke": Route(OWNED, OWNED),
    "workbench:key_delete": Route(OWNED, OWNED),
    "workbench:keys_delete": Route(PRIVATE, NOBODYS),  # the key is deleted by now
    "workbench:trigger_delete": Route(OWNED, OWNED),
    "workbench:channel_delete": Route(OWNED, OWNED),
    "workbench:device_deactivate": Route(OWNED, OWNED, places=_ACTIVATED),
    "workbench:serial_deactivate": Route(OWNED, OWNED),
    "workbench:serial_rename": Route(OWNED, OWNED),
    "workbench:serial_delete": Route(OWNED, OWNED),
    "workbench:device_delete": Route(OWNED, OWNED),
    "workbench:product_delete": Route(OWNED, OWNED),
    "accounts:welcome": Route(ELSEWHERE, ELSEWHERE),  # test_sessions.py, as all of these
    "accounts:sign_in": Route(ELSEWHERE, ELSEWHERE),
    "accounts:sign_out": Route(ELSEWHERE, ELSEWHERE),
    "/api-auth/logout/": Route(ELSEWHERE, ELSEWHERE),
}

# What is served beside Django: see the paths in `server/app.py`.
STREAMS: dict[str, Route] = {
    "/live/feeds/{feed_id}": Route(SEEN),
    "/live/messages/overview": Route(ACCOUNTS),
    "/live/requests/overview": Route(ACCOUNTS),
    "/live/simulator/overview": Route(ACCOUNTS),
    "/live/wall?feed={feed_id}": Route(SEEN),
    "/live/devices?feed={feed_id}": Route(ACCOUNTS),
    "/live/mqtt/overview": Route(ACCOUNTS),
    "/live/mqtt/messages?topic_filter=x": Route(ACCOUNTS),
    "/live/mqtt/packets?client_id=x": Route(ACCOUNTS),
    "/live/wamp/overview?realm=realm1": Route(ACCOUNTS),
    "/live/wamp/events?realm=realm1&topic=x": Route(ACCOUNTS),
    "/export/feeds/{feed_id}/channel-temperature?range=1h&format=csv": Route(SEEN),
    "/export/feeds/{feed_id}/channel-temperature?range=1h&format=parquet": Route(SEEN),
}
