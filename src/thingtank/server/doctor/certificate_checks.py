"""The certificate of the doors that speak TLS."""

import datetime
import shlex
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from thingtank.server.doctor.findings import Finding, Patient, ok, problem, warning

SOON_DAYS = 21
_DER, _KEY_FORM = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


def check_certificate(patient: Patient) -> Iterator[Finding]:
    """Whether it is valid, for how long, and whether the key is its own."""
    server = patient.config.server
    if not server.tls_certificate or not server.tls_key:
        return
    certificate_file, key_file = Path(server.tls_certificate), Path(server.tls_key)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except OSError as error:
        yield problem("certificate", f"{error.filename} cannot be read: {error.strerror}",
                      "name the file, and let the server's user read it")  # fmt: skip
        return
    except (ValueError, TypeError, ssl.SSLError) as error:
        yield problem("certificate", f"{certificate_file} or {key_file} is no PEM file: {error}",
                      "name two PEM files, the key without a password")  # fmt: skip
        return
    own = certificate.public_key().public_bytes(_DER, _KEY_FORM)
    if key.public_key().public_bytes(_DER, _KEY_FORM) != own:
        yield problem("certificate", f"{key_file} is not the key of {certificate_file}",
                      "name a certificate and its own key")  # fmt: skip
        return
    yield _validity(certificate, certificate_file)
    if key_file.stat().st_mode & 0o077:
        yield warning("certificate.key", f"{key_file} may be read by others on this machine",
                      f"chmod 600 {shlex.quote(str(key_file))}")  # fmt: skip


def _validity(certificate: x509.Certificate, file: Path) -> Finding:
    now = datetime.datetime.now(datetime.UTC)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    renew = "renew it, and start the server anew"
    if now > end:
        return problem("certificate", f"{file} has expired on {end:%Y-%m-%d}", renew)
    if now < begin:
        return problem("certificate", f"{file} is valid from {begin:%Y-%m-%d %H:%M} UTC on only",
                       "look at the clock, or wait")  # fmt: skip
    days = (end - now).days
    text = f"{file} is valid until {end:%Y-%m-%d} ({days} days)"
    if days < SOON_DAYS:
        return warning("certificate", text, renew)
    return ok("certificate", text)
