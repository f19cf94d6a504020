"""What holds for all tests: how hypothesis judges, and how they are collected.

Hypothesis judges what is computed, and not how long it takes. By its own measure, the clock on
the wall, an example may take 0.2 s, and drawing the first ten of them 1 s in all; on a machine
that others use as well, tests failed that had nothing wrong with them. Without a deadline it
allows 30 s for the drawing, and pytest has a limit for each test.
"""

import gc
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without a garbage collector that walks all tests again and again: a quarter sooner.

    What there is afterwards stays until the end, and is not walked while the tests run either.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Let what was frozen go: DuckDB's binding reports all of its objects that outlive Python."""
    gc.unfreeze()
