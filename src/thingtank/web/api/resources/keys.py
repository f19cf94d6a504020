"""`/api/keys`: list, make, read, change, renew and delete API keys."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from thingtank.tank.access import Caller, check_manage
from thingtank.tank.actions.keys import (
    create_key,
    delete_key,
    get_key,
    list_keys,
    regenerate_key,
    update_key,
)
from thingtank.tank.errors import NoSuchKey, NotAllowed, Unauthenticated
from thingtank.tank.keys import ApiKey
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.api import parameters as query
from thingtank.web.api.key_shapes import (
    DEVICE_ID_MAX,
    KeySerializer,
    RevealedKeySerializer,
    key_body,
    key_change,
    key_draft,
    key_etag,
)
from thingtank.web.api.paging import PAGING, CursorPages, page_in_memory
from thingtank.web.api.parameters import Terms
from thingtank.web.api.views import ApiView
from thingtank.web.workbench.pages import address_of

_LIST = (
    query.text("q", "Words that all stand in the label, in any case."),
    query.whole("device", "Only keys that name this device.", 1, DEVICE_ID_MAX),
    query.order(("created", "label"), "-created"),
    *PAGING,
)


class KeysView(ApiView):
    """API keys."""

    tag = "keys"
    pagination_class = CursorPages
    tagged = ("retrieve", "update", "partial_update", "destroy")
    parameters: ClassVar = {"list": _LIST}
    pointers: ClassVar = {
        "permissions_access_methods": "/permissions",
        "permissions_source_ip": "/permissions",
        "permissions_referer": "/permissions",
        "permissions_minimum_interval": "/permissions",
        "permissions_label": "/permissions",
        "resources": "/permissions",
        "resources_feed_id": "/permissions",
        "resources_datastream_id": "/permissions",
    }

    @extend_schema(operation_id="list_keys", responses=KeySerializer(many=True))
    def list(self, request: Any) -> Response:
        """List keys.

        Those of the caller's account, without their secrets. A key that is no master key sees only
        itself.
        """
        terms = self.terms
        words = terms["q"].lower().split()
        found = [
            key
            for key in _keys_of(tank_access.tank(), self.caller, terms["device"])
            if all(word in key.label.lower() for word in words)
        ]
        page = page_in_memory(found, terms, lambda key: _place_of(key, terms))
        return self.answer_page(page, [self._body(key) for key in page.items])

    @extend_schema(
        operation_id="create_key", request=KeySerializer, responses={201: RevealedKeySerializer}
    )
    def create(self, request: Any) -> Response:
        """Make a key.

        It belongs to the caller's account. Its secret, `api_key`, is told only now. A key must be a
        master key to make others, and what it makes may not reach further than itself.
        """
        tank = tank_access.tank()
        draft = key_draft(self.read_body(KeySerializer), _account_id(self.caller))
        key, secret = tank_access.run(create_key(tank, self.caller, draft))
        return self.answer_created({**self._body(key), "api_key": secret}, key_etag(tank, key))

    @extend_schema(operation_id="read_key", responses=KeySerializer)
    def retrieve(self, request: Any, key: int) -> Response:
        """Read a key.

        Its secret cannot be read again; a new one can be made.
        """
        found = self._find(key)
        return self.answer_one(self._body(found), key_etag(tank_access.tank(), found))

    @extend_schema(operation_id="replace_key", request=KeySerializer, responses=KeySerializer)
    def update(self, request: Any, key: int) -> Response:
        """Replace what a key may do.

        Members that are left out get their defaults. The secret stays.
        """
        return self._change(key, self.read_body(KeySerializer))

    @extend_schema(
        operation_id="change_key",
        request=KeySerializer,
        responses=KeySerializer,
    )
    def partial_update(self, request: Any, key: int) -> Response:
        """Change some of what a key may do.

        Members that are left out stay; `permissions` are replaced as a whole. The secret stays.
        """
        return self._change(key, self.read_body(KeySerializer, partial=True))

    def _change(self, key_id: int, members: dict[str, Any]) -> Response:
        tank = tank_access.tank()
        self._find(key_id)
        change = key_change(members)
        changed = tank_access.run(update_key(tank, self.caller, key_id, change, self._check))
        return Response(self._body(changed), headers={"ETag": key_etag(tank, changed)})

    @extend_schema(operation_id="delete_key", responses={204: None})
    def destroy(self, request: Any, key: int) -> Response:
        """Delete a key.

        Requests with it are refused from now on.
        """
        self._find(key)
        tank_access.run(delete_key(tank_access.tank(), self.caller, key, self._check))
        return Response(None, HTTPStatus.NO_CONTENT)

    @extend_schema(
        operation_id="regenerate_key", request=None, responses={200: RevealedKeySerializer}
    )
    def regenerate(self, request: Any, key: int) -> Response:
        """Give a key another secret.

        The new one, `api_key`, is told only now; the old one is dead at once. What the key may do
        stays. For its own account only, not for admins.
        """
        tank = tank_access.tank()
        self._find(key)
        made = tank_access.run(regenerate_key(tank, self.caller, key))
        return Response({**self._body(made.key), "api_key": made.secret})

    def _find(self, key_id: int) -> ApiKey:
        """A key that the caller may see; another account's is as if not there."""
        try:
            return get_key(tank_access.tank(), self.caller, key_id)
        except NotAllowed:
            raise NoSuchKey(f"there is no key {key_id}") from None

    def _check(self, newest: ApiKey) -> None:
        self.conditions.check_change(key_etag(tank_access.tank(), newest))

    def _body(self, key: ApiKey) -> dict[str, Any]:
        base_url = address_of(self.request._request, reverse("api:keys"))
        return key_body(tank_access.tank(), base_url, key)


def _keys_of(tank: Tank, caller: Caller, device_id: int | None) -> Sequence[ApiKey]:
    if caller.key is None or caller.key.is_master:
        return list_keys(tank, caller, _account_id(caller), device_id)
    resources = [each for permission in caller.key.permissions for each in permission.resources]
    is_named = device_id is None or any(each.feed_id == device_id for each in resources)
    return [caller.key] if is_named else []


def _place_of(key: ApiKey, terms: Terms) -> tuple[Any, Any]:
    by = key.label.casefold() if terms["order"].endswith("label") else key.created_us
    return by, key.key_id


def _account_id(caller: Caller) -> int:
    if caller.account is None:
        raise Unauthenticated("an API key or a sign-in is needed")
    check_manage(caller, caller.account.account_id)
    return caller.account.account_id
