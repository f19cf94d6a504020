"""Answers that are gathered: in order, together, bounded."""

import asyncio

from thingtank.net.small_answers import GATHERED_MAX, SmallAnswers


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


async def test_answers_of_one_turn_are_written_at_its_end_in_order() -> None:
    answers, one, other = SmallAnswers(), Transport(), Transport()
    for number in range(10):
        answers.add(one, b"%d" % number)
        answers.add(other, b"%d" % -number)
    assert one.written == other.written == []
    await asyncio.sleep(0)
    assert one.written == [b"%d" % number for number in range(10)]
    assert other.written == [b"%d" % -number for number in range(10)]


async def test_no_more_than_so_many_wait() -> None:
    answers, transport = SmallAnswers(), Transport()
    for count in range(1, 1000):
        answers.add(transport, b"x")
        assert count - len(transport.written) <= GATHERED_MAX
    await asyncio.sleep(0)
    assert len(transport.written) == 999
