#!/usr/bin/env python3
"""Write the sequence and a 1 for each line of standard input in which the sequence occurs.

The sequence is the environment variable SEQ; 123 if there is none, as in the chapter (box 8.37).
"""

import os
import sys


def main() -> None:
    """Map standard input."""
    seq = os.environ.get("SEQ", "123").encode()
    write = sys.stdout.buffer.write
    for line in sys.stdin.buffer:  # bytes: a log may hold any
        if seq in line.strip():
            write(b"%s\t1\n" % seq)


if __name__ == "__main__":
    main()
