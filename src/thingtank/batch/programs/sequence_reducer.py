#!/usr/bin/env python3
"""Sum the counts of each key of standard input, which is sorted by key; a combiner as well.

Lines that are no count are left out, and counted on standard error, as Hadoop's counters are. No
output for no input. (Box 8.38.)
"""

import sys
from collections.abc import Iterable, Iterator


def sums(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Each key with the sum of its counts."""
    key, total, malformed = None, 0, 0
    for line in lines:
        name, _, count = line.rstrip(b"\r\n").partition(b"\t")
        try:
            number = int(count)
        except ValueError:
            malformed += 1
            continue
        if name != key:
            if key is not None:
                yield key, total
            key, total = name, 0
        total += number
    if key is not None:
        yield key, total
    if malformed:
        sys.stderr.write(f"reporter:counter:thingtank,malformed,{malformed}\n")


def main() -> None:
    """Reduce standard input."""
    for key, total in sums(sys.stdin.buffer):
        sys.stdout.buffer.write(b"%s\t%d\n" % (key, total))


if __name__ == "__main__":
    main()
