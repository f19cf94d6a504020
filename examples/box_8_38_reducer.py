#!/usr/bin/env python3
"""Box 8.38: the reducer of a sequence count, for Hadoop streaming; it serves as combiner as well.

It reads the mappers' lines, sorted by sequence, and writes each sequence with the sum of its
counts. Try both without Hadoop:

    cat log.txt | python3 box_8_37_mapper.py | sort | python3 box_8_38_reducer.py

The book's program split lines at the letter t, where a tab was meant, added up text before it was a
number, and so counted the first line of each sequence twice. Lines that are no count are left out,
as there; here Hadoop is told how many they were.
"""

import sys

current_seq = None
current_count = 0
malformed = 0

for line in sys.stdin:
    seq, _, count = line.strip().partition("\t")
    try:
        count = int(count)
    except ValueError:
        malformed += 1
        continue
    if current_seq == seq:
        current_count += count
    else:
        if current_seq is not None:
            print(f"{current_seq}\t{current_count}")
        current_seq = seq
        current_count = count

if current_seq is not None:
    print(f"{current_seq}\t{current_count}")
if malformed:
    print(f"reporter:counter:sequence count,malformed,{malformed}", file=sys.stderr)
