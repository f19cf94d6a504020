"""What holds for all tests: hypothesis judges what is computed, and not how long it takes.

By its own measure, the clock on the wall, an example may take 0.2 s, and drawing the first ten of
them 1 s in all; on a machine that others use as well, tests failed that had nothing wrong with
them. Without a deadline it allows 30 s for the drawing, and pytest has a limit for each test.
"""

from hypothesis import settings

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")
