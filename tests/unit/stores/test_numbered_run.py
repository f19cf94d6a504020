"""The newest of what is numbered: without gaps, and within a size."""

import random

import pytest

from thingtank.stores.numbered_run import NumberedRun


@pytest.mark.parametrize("seed", range(20))
def test_it_has_the_newest_that_follow_each_other(seed: int) -> None:
    chance, run, number = random.Random(seed), NumberedRun[int](2000), 1
    wanted: dict[int, int] = {}
    for _ in range(300):
        if chance.random() < 0.1:
            number += chance.randrange(5)
        if chance.random() < 0.1:
            through = number - chance.randrange(20)
            run.drop(through)
            wanted = {key: size for key, size in wanted.items() if key > through}
        if number != run.next_number:
            wanted = {}
        size = chance.choice([0, 10, 300, 5000])
        run.add(number, -number, size)
        wanted[number] = size
        while sum(wanted.values()) > 2000 and len(wanted) > 1:
            del wanted[min(wanted)]
        assert [run[key] for key in wanted] == [-key for key in wanted]
        assert (len(run), run.size_bytes) == (len(wanted), sum(wanted.values()))
        number += 1
        assert run.next_number == number
        assert number not in run
    run.clear()
    assert (len(run), run.size_bytes, run.next_number) == (0, 0, number)
    run.add(number, 0, 1)
    run.drop(number + 100)
    assert (len(run), run.next_number) == (0, number + 1)
