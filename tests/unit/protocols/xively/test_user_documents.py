"""Users on the wire, case by case."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.errors import MalformedBody, Unprocessable
from thingtank.protocols.xively.user_documents import (
    UserBody,
    UserDocument,
    parse_user,
    serialize_user,
    serialize_users,
)

USERS: list[tuple[str, Any, UserDocument]] = [
    (
        "all of it, with what is ignored",
        {
            "login": "ada", "email": "a@b.example", "first_name": "Ada", "last_name": "Lovelace",
            "full_name": "ignored beside the others", "about": "d", "website": "w", "organisation": "o",
            "time_zone": "London", "roles": ["admin"], "creatable_roles": ["admin"], "api_key": "mine",
            "deliver_email": True, "display_activity": 1, "display_information": None, "display_stats": {},
            "receive_forum_notifications": [], "subscribed_to_mailings": "false",
        },
        UserDocument("ada", "a@b.example", "Ada", "Lovelace", "d", "w", "o", "London"),
    ),
    ("a full name alone", {"full_name": "Augusta  Ada Lovelace"}, UserDocument(first_name="Augusta Ada", last_name="Lovelace")),
    ("a full name of one word", {"full_name": "Ada"}, UserDocument(first_name="Ada", last_name="")),
    ("no name any more", {"full_name": None}, UserDocument(first_name="", last_name="")),
    ("nothing", {}, UserDocument()),
    ("null clears", {"about": None}, UserDocument(about="")),
    ("a number as a login", {"login": 7}, UserDocument(login="7")),
    ("a password", {"password": " as it is "}, UserDocument(password=" as it is ")),
    ("no password", {"password": ""}, UserDocument()),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "document"), [row[1:] for row in USERS], ids=[row[0] for row in USERS])  # fmt: skip
def test_users_are_read(sent: Any, document: UserDocument) -> None:
    assert parse_user(json.dumps({"user": sent}).encode()) == document


BAD = [
    (b"", MalformedBody, "parse error"),
    (b"\xff", MalformedBody, "parse error"),
    (b"[]", Unprocessable, "JSON doesn't appear to be a hash"),
    (b"{}", Unprocessable, "`user` is missing"),
    (b'{"user": "ada"}', Unprocessable, "`user` must be an object, not a string"),
    (b'{"user": {"login": ["ada"]}}', Unprocessable, r"`user\.login` must be a string"),
    (b'{"user": {"password": 7}}', Unprocessable, r"`user\.password` must be a string"),
]


@pytest.mark.parametrize(("body", "error", "message"), BAD)
def test_bodies_that_are_no_users_are_refused(
    body: bytes, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        parse_user(body)


@given(
    st.binary() | st.dictionaries(st.text(), st.integers()).map(lambda d: json.dumps(d).encode())
)
def test_any_body_is_a_user_or_refused(body: bytes) -> None:
    with pytest.raises((MalformedBody, Unprocessable)):
        parse_user(body)


def test_a_password_does_not_show_where_a_document_is_printed() -> None:
    assert "hunter2" not in repr(UserDocument(login="ada", password="hunter2"))


def test_users_are_written_alone_and_in_a_list_at_the_top() -> None:
    names = ("email", "full_name", "first_name", "last_name", "about", "website", "organisation")
    body = UserBody(login="ada", time_zone="", roles=["user"], **dict.fromkeys(names, "x"))
    flat = {"login": "ada", **dict.fromkeys(names, "x"), "time_zone": "", "roles": ["user"]}
    assert json.loads(serialize_user(body)) == {"user": flat}
    assert json.loads(serialize_users([body])) == [{"user": flat}]
    body.api_key = "mine"
    assert json.loads(serialize_user(body)) == {"user": {**flat, "api_key": "mine"}}
