"""Signatures of webhooks as Standard Webhooks has them.

The signed text is `id.timestamp.body`, HMAC-SHA256, base64. The body is the whole form-encoded one
as sent, so a receiver that uses the library calls `verify(body, headers, json_parse=False)`.

Source: Standard Webhooks 1.0, "Signature scheme".
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook


def signature_headers(
    secrets: Sequence[bytes], message_id: str, now_us: int, body: bytes
) -> dict[str, str]:
    """The three headers that let a receiver know the sender and drop repetitions.

    Args:
        secrets: all that are in force; each signs.
        body: ASCII, as sent.
    """
    at = datetime.fromtimestamp(now_us // 1_000_000, UTC)
    text = body.decode("ascii")
    signatures = [Webhook(secret).sign(message_id, at, text) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now_us // 1_000_000),
        "webhook-signature": " ".join(signatures),
    }
