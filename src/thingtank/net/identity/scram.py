"""What SCRAM has in common whatever carries it: the proof of a password that is not sent.

Source: RFC 5802, 3; RFC 7677.
"""

import base64
import binascii
import hashlib
import hmac


def server_signature(salted_password: bytes, auth_message: bytes, proof: str) -> bytes | None:
    """What proves the server to the client, if the client's proof is right; else None.

    Args:
        auth_message: what both sides sign.
        proof: in base64.
    """
    client_key = hmac.digest(salted_password, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    signature = hmac.digest(stored_key, auth_message, "sha256")
    try:
        presented = base64.b64decode(proof, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return None
    if len(presented) != len(signature):
        return None
    recovered = bytes(a ^ b for a, b in zip(presented, signature, strict=True))
    if not hmac.compare_digest(hashlib.sha256(recovered).digest(), stored_key):
        return None
    server_key = hmac.digest(salted_password, b"Server Key", "sha256")
    return hmac.digest(server_key, auth_message, "sha256")
