"""TLS for the doors: one certificate for all of them."""

import ssl

from thingtank.server.cannot_start import CannotStart
from thingtank.server.config import ServerSettings


def tls_context(settings: ServerSettings) -> ssl.SSLContext:
    """How the doors speak TLS: 1.2 and newer.

    Clients may show certificates where `tls_client_ca` says whose; who shows none may come in too,
    and is whom it says otherwise.

    Raises:
        CannotStart: there is no certificate, or a file of it cannot be used.
    """
    if not settings.tls_certificate or not settings.tls_key:
        raise CannotStart("TLS needs server.tls_certificate and server.tls_key: two PEM files")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        files = (settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
        named = ", ".join(filter(None, files))
        raise CannotStart(f"one of {named} is no use for TLS: {error}") from error
    return context
