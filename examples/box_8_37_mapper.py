#!/usr/bin/env python3
"""Box 8.37: the mapper of a sequence count, for Hadoop streaming.

For each line of standard input in which the sequence occurs it writes the sequence, a tab, and 1.

The book's program wrote `'%s' % (seq, 1)`, which fails: one place for two values, and no tab. The
sequence is 123 as there; `SEQ=456` in the environment, or `-cmdenv SEQ=456` of Hadoop, is another.
"""

import os
import sys

# Enter the sequence to search
seq = os.environ.get("SEQ", "123")

sys.stdin.reconfigure(encoding="utf-8", errors="replace")
for line in sys.stdin:
    line = line.strip()
    if seq in line:
        print(f"{seq}\t{1}")
