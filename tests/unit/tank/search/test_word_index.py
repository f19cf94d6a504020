"""Words whole, by how they begin, and mistyped, while they come and go."""

from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.search.word_index import WordIndex

WORDS = st.text("abß", min_size=1, max_size=6)


def slots(numbers: object) -> list[int]:
    return sorted(set(WordIndex.slots(numbers).tolist()))  # type: ignore[arg-type] # as it comes


@given(st.lists(st.tuples(st.integers(0, 4), st.dictionaries(WORDS, st.integers(1, 3)))), WORDS)
def test_an_index_knows_which_devices_have_words_that_begin_so(
    changes: list[tuple[int, dict[str, int]]], asked: str
) -> None:
    index = WordIndex()
    model: dict[int, dict[str, int]] = {}
    for slot, words in changes:
        index.change(slot, model.get(slot, {}), words)
        model[slot] = words
    assert slots(index.whole(asked)) == sorted(slot for slot in model if asked in model[slot])
    begins = [
        slot
        for slot, words in model.items()
        if any(word == asked or (len(asked) > 1 and word.startswith(asked)) for word in words)
    ]
    assert slots(index.beginning(asked)) == sorted(begins)
    # Words that no device has any more are forgotten, and none is there twice.
    assert index._sorted == sorted(set().union(*model.values()))


def test_many_words_at_once_are_merged_and_taken_out_again() -> None:
    index = WordIndex()
    many = {f"word{number}": 1 for number in range(500)}
    index.change(1, {}, {"word7x": 2})
    index.change(2, {}, many)
    assert slots(index.beginning("word7")) == [1, 2]
    assert slots(index.beginning("word499")) == [2]
    index.change(2, many, {"other": 3})
    assert slots(index.beginning("word")) == [1]
    assert WordIndex.weights(index.whole("other")).tolist() == [3]


def test_what_is_loaded_is_found_like_what_was_changed() -> None:
    index = WordIndex()
    index.load(0, {"roof": 1, "attic": 2})
    index.load(1, {"rooftop": 3})
    index.finish_load()
    assert slots(index.beginning("ro")) == [0, 1]
    assert slots(index.mistyped("roftop")) == [1]


def test_only_letters_of_the_scripts_of_a_word_are_tried() -> None:
    index = WordIndex()
    index.change(0, {}, {"температура": 1, "temperature": 1})
    assert slots(index.mistyped("темпиратура")) == [0]
    assert slots(index.mistyped("temperatur3")) == []  # a digit: taken as it stands
    assert slots(index.mistyped("x" * 40)) == []
