"""What holds for all tests: how hypothesis judges, and how they are collected.

Hypothesis judges what is computed, and not how long it takes. By its own measure, the clock on
the wall, an example may take 0.2 s, and drawing the first ten of them 1 s in all; on a machine
that others use as well, tests failed that had nothing wrong with them. Without a deadline it
allows 30 s for the drawing, and pytest has a limit for each test.

Where SSL_CERT_FILE names all authorities of the machine, a context of TLS first reads them, in
30 ms of processor time: each server makes three, and each connection to MariaDB one. Tests have
it read one. OpenSSL finds others by name in the machine's folder, when it is shown a certificate.
"""

import atexit
import gc
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import certifi
import pytest
from hypothesis import settings

END = "-----END CERTIFICATE-----\n"

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without a garbage collector that walks all tests again and again: a quarter sooner.

    What there is afterwards stays until the end, and is not walked while the tests run either, nor
    by pytest, which looks twice at the end for what tests have left.
    """
    gc.disable()
    atexit.register(gc.unfreeze)  # DuckDB's binding reports all of its objects that outlive Python
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _read_one_authority() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:  # the process that started this has one
        return
    descriptor, name = tempfile.mkstemp(prefix="thingtank-authority-", suffix=".pem")
    with open(descriptor, "w") as file:
        file.write(certifi.contents().partition(END)[0] + END)
    atexit.register(Path(name).unlink, missing_ok=True)
    os.environ["SSL_CERT_FILE"] = name


_read_one_authority()
