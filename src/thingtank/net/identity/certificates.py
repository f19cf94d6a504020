"""Client certificates as settings name them: by fingerprint or by subject."""

import hashlib
import re

from cryptography import x509
from cryptography.x509.oid import NameOID

_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}", re.IGNORECASE)


def is_certificate_name(name: str) -> bool:
    """Whether settings may name a certificate so."""
    if _FINGERPRINT.fullmatch(name):
        return True
    try:
        return bool(_subject(name))
    except ValueError:
        return False


def settled_name(name: str) -> str:
    """The one form that a name has, to be compared with those of a certificate."""
    return name.lower() if _FINGERPRINT.fullmatch(name) else _subject(name)


def names_of(certificate: bytes) -> tuple[str, ...]:
    """What settings may call a certificate; none if it cannot be read.

    Args:
        certificate: in DER.
    """
    fingerprint = f"sha256:{hashlib.sha256(certificate).hexdigest()}"
    try:
        return fingerprint, x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return ()


def common_name_of(certificate: bytes) -> str:
    """The one common name in a certificate's subject; blank if it has none, or several.

    Args:
        certificate: in DER.
    """
    try:
        subject = x509.load_der_x509_certificate(certificate).subject
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return ""
    value = names[0].value if len(names) == 1 else ""
    return value if isinstance(value, str) else ""


def _subject(name: str) -> str:
    """A subject as the library writes it.

    Raises:
        ValueError.
    """
    return x509.Name.from_rfc4514_string(name).rfc4514_string()
