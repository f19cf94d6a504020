"""Silent peers are asked, and cut off when they do not answer."""

import asyncio

import pytest
from tests.waiting import until

from thingtank.net.keep_alive import SLOTS, KeepAlive

SILENCE_S = 0.32


class Peer:
    def __init__(self, answers: bool = False) -> None:
        self.is_heard = True
        self.is_asked = False
        self.answers = answers
        self.asked_count = 0
        self.is_cut_off = False

    def ping(self) -> None:
        self.asked_count += 1
        self.is_heard = self.answers

    def cut_off(self) -> None:
        assert not self.is_cut_off
        self.is_cut_off = True


async def test_who_does_not_answer_is_cut_off_and_who_does_stays() -> None:
    keep_alive = KeepAlive(SILENCE_S)
    answering, gone = Peer(answers=True), Peer()
    keep_alive.add(answering)
    keep_alive.add(gone)
    await until(lambda: gone.is_cut_off)
    assert gone.asked_count == 1
    keep_alive.remove(gone)
    await until(lambda: answering.asked_count > 1)
    assert not answering.is_cut_off
    keep_alive.remove(answering)


async def test_who_talks_is_not_asked() -> None:
    keep_alive = KeepAlive(SILENCE_S)
    talking, silent = Peer(), Peer(answers=True)
    keep_alive.add(talking)
    keep_alive.add(silent)

    def talk() -> bool:
        talking.is_heard = True
        return silent.asked_count > 1

    await until(talk)
    assert talking.asked_count == 0
    keep_alive.remove(talking)
    keep_alive.remove(silent)


async def test_one_that_leaves_while_others_are_cut_off_is_left_alone() -> None:
    keep_alive = KeepAlive(SILENCE_S)
    peers = [Peer() for _ in range(10)]

    def leave_all() -> None:
        for peer in peers:
            keep_alive.remove(peer)

    for peer in peers:
        peer.cut_off = leave_all  # type: ignore[method-assign] # a double in its place
        keep_alive.add(peer)
    await until(lambda: all(peer.is_asked for peer in peers))
    await asyncio.sleep(SILENCE_S * 2)
    assert keep_alive.count == 0


@pytest.mark.parametrize("count", [0, 1, SLOTS * 3])
async def test_nothing_is_left_to_do_when_all_have_gone(count: int) -> None:
    keep_alive = KeepAlive(SILENCE_S)
    peers = [Peer() for _ in range(count)]
    for peer in peers:
        keep_alive.add(peer)
    assert keep_alive.count == count
    for peer in peers * 2:
        keep_alive.remove(peer)
    assert keep_alive.count == 0
    await asyncio.sleep(SILENCE_S)
    assert not any(peer.asked_count for peer in peers)
