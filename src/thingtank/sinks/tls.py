"""TLS towards receivers."""

import ssl

import certifi


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Believe the system's authorities, certifi's where it has none, and those of a file.

    Raises:
        OSError: the file cannot be read.
    """
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:  # a bare container
        context.load_verify_locations(certifi.where())
    if ca_file:
        context.load_verify_locations(ca_file)
    return context
