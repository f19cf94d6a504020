"""Addresses of what is in S3: `s3://bucket/key`."""

import ipaddress
import re
from typing import NamedTuple

SCHEME = "s3://"
KEY_BYTES_MAX = 1024

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OWN_BEGINNINGS = ("xn--", "sthree-", "amzn-s3-demo-")
_OWN_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


class BadAddress(ValueError):
    """It is none that S3 takes. The message says why."""


class S3Address(NamedTuple):
    """A bucket, and a key or a beginning of keys in it; blank for all of it."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def of(self, name: str) -> "S3Address":
        """A name below this beginning.

        Raises:
            BadAddress: the key would be too long.
        """
        beginning = self.key.rstrip("/")
        return S3Address(self.bucket, checked_key(f"{beginning}/{name}" if beginning else name))


def is_s3(text: str) -> bool:
    """Whether a text means a place in S3, and not a file."""
    return text.startswith(SCHEME)


def parse_address(text: str) -> S3Address:
    """Read `s3://bucket`, `s3://bucket/key`.

    Raises:
        BadAddress.

    Source: AWS, Amazon S3 User Guide, "General purpose bucket naming rules".
    """
    if not is_s3(text):
        raise BadAddress(f"{text!r} is no address such as s3://bucket/prefix")
    bucket, _, key = text.removeprefix(SCHEME).partition("/")
    if problem := bucket_problem(bucket):
        raise BadAddress(f"S3 takes no bucket called {bucket!r}: {problem}")
    return S3Address(bucket, checked_key(key))


def checked_key(key: str) -> str:
    """A key that S3 takes.

    Raises:
        BadAddress.
    """
    length = len(key.encode())
    if length > KEY_BYTES_MAX:
        raise BadAddress(f"the key has {length} bytes, and S3 takes {KEY_BYTES_MAX}")
    if key.startswith("/") or any(part in (".", "..") for part in key.split("/")):
        raise BadAddress(
            f"{key!r} is no key that all programs read: it has an empty or dotted part"
        )
    return key


def bucket_problem(bucket: str) -> str:
    """Why S3 takes no bucket of such a name; blank if it does."""
    if _BUCKET.fullmatch(bucket) is None:
        return (
            "a name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends"
            " with a letter or digit"
        )
    if ".." in bucket:
        return "two dots must not stand side by side"
    if bucket.startswith(_OWN_BEGINNINGS) or bucket.endswith(_OWN_ENDS):
        return "AWS keeps such names for itself"
    try:
        ipaddress.IPv4Address(bucket)
    except ValueError:
        return ""
    return "it looks like an address of a machine"
