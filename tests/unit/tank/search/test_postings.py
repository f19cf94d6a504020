"""Numbers by key, whether few or many."""

from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.search.postings import Postings

KEYS = st.sampled_from(["a", "b"])
NUMBERS = st.integers(0, 40) | st.just(2**32 - 1)


@given(st.lists(st.tuples(KEYS, NUMBERS), max_size=80))
def test_postings_are_sets_by_key(steps: list[tuple[str, int]]) -> None:
    postings = Postings()
    model: dict[str, set[int]] = {"a": set(), "b": set()}
    for key, number in steps:  # what is there already goes
        if number in model[key]:
            postings.remove(key, number)
            model[key].remove(number)
        else:
            postings.add(key, number)
            model[key].add(number)
    for key, numbers in model.items():
        assert sorted(postings.numbers([key]).tolist()) == sorted(numbers)
        assert (key in postings) == bool(numbers)
    both = sorted([*model["a"], *model["b"]])
    assert sorted(postings.numbers(["a", "x", "b"]).tolist()) == both
