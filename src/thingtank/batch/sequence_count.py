"""The shipped sequence count as functions of this process: what its programs write.

The lines that a sequence occurs in are found block by block, and not looked at one by one.
"""

from collections.abc import Iterable, Iterator, Mapping

from thingtank.batch.programs.sequence_reducer import sums

SEQ_DEFAULT = "123"


def may_map(environment: Mapping[str, str]) -> bool:
    """Whether the sequence is one that may be looked for in a block of lines.

    The mapper looks for it in each line without the white space around it.
    """
    seq = environment.get("SEQ", SEQ_DEFAULT)
    return bool(seq) and seq == seq.strip() and "\n" not in seq


def mapped(blocks: Iterable[bytes], environment: Mapping[str, str]) -> Iterator[bytes]:
    """The sequence and in how many lines it occurs; nothing if in none.

    Args:
        blocks: of whole lines.
    """
    seq = environment.get("SEQ", SEQ_DEFAULT).encode()
    count = sum(_count(block, seq) for block in blocks)
    if count:
        yield b"%s\t%d\n" % (seq, count)


def reduced(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """What the reducer writes for sorted lines that `mapped` gave."""
    lines = (line for block in blocks for line in block[:-1].split(b"\n"))
    return (b"%s\t%d\n" % pair for pair in sums(lines))


def _count(block: bytes, seq: bytes) -> int:
    count = 0
    position = block.find(seq)
    while position >= 0:
        count += 1
        position = block.find(seq, block.find(b"\n", position))
    return count
