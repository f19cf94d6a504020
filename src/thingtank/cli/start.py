"""The program `thingtank`, from before its modules are there."""

import os
from typing import NoReturn

INTERRUPTED_EXIT_CODE = 130  # 128 and the number of SIGINT, as shells have it


def run() -> NoReturn:
    """Run it; Ctrl-C that comes while modules load, or at the very end, ends it without a word."""
    try:
        from thingtank.cli.main import run as run_main

        run_main()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED_EXIT_CODE)
