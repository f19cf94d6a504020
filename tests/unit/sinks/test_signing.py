"""Signatures: the library's own verifier says yes to ours, and no to everything near."""

import base64
import time
from urllib.parse import parse_qs, unquote, unquote_plus

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.deliveries import BODY

from thingtank.sinks.signing import signature_headers
from thingtank.sinks.webhooks import form_body

OLD, NEW = b"o" * 32, b"n" * 32


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_receiver_with_either_secret_believes(secret: bytes) -> None:
    body = form_body(BODY)
    headers = signature_headers([NEW, OLD], "msg_1", now_us(), body)
    text = f"whsec_{base64.b64encode(secret).decode()}"
    Webhook(text).verify(body, headers, json_parse=False)


@pytest.mark.parametrize("spoiled", ["body", "webhook-id", "webhook-timestamp", "secret", "old"])
def test_nothing_else_is_believed(spoiled: str) -> None:
    body = form_body(BODY)
    at_us = now_us() - (400_000_000 if spoiled == "old" else 0)
    headers = signature_headers([NEW], "msg_1", at_us, body)
    if spoiled in headers:
        headers[spoiled] = headers[spoiled][:-1] + ("0" if headers[spoiled][-1] != "0" else "1")
    if spoiled == "body":
        body += b"x"
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD if spoiled == "secret" else NEW).verify(body, headers, json_parse=False)


@pytest.mark.parametrize(
    "document", [BODY, b"{}", b'{"a":"+ &=%;\\u00e9"}', '{"a":"20 °C"}'.encode(), bytes(range(256))]
)
def test_the_form_is_read_by_every_kind_of_receiver(document: bytes) -> None:
    body = form_body(document).decode("ascii")
    assert body.startswith("body=")
    assert "+" not in body
    text = document.decode("latin-1")
    # PHP's $_POST; those who cut five characters; those who decode first and cut then.
    assert parse_qs(body, strict_parsing=True, encoding="latin-1") == {"body": [text]}
    assert unquote_plus(body[5:], encoding="latin-1") == text
    assert unquote(body, encoding="latin-1").removeprefix("body=") == text
