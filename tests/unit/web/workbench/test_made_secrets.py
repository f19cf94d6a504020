"""Secrets that were just made: one of a form, for a while, for its account."""

from thingtank.web.workbench.made_secrets import KEPT_MAX, KEPT_S, Made, MadeSecrets

KEY = (1, "/feeds/1/tokens/add", "word")


def test_a_form_makes_one_secret_which_is_kept_for_a_while() -> None:
    now_s = 0.0
    secrets = MadeSecrets(lambda: now_s)
    made = iter([Made("a"), Made("b")])
    assert secrets.make(KEY, lambda: next(made))
    assert secrets.make(KEY, lambda: next(made))
    assert secrets.find(KEY) == Made("a")
    for other in ((2, *KEY[1:]), (1, "/feeds/2/tokens/add", "word"), (*KEY[:2], "")):
        assert secrets.find(other) is None
    now_s = KEPT_S
    assert secrets.find(KEY) is None
    assert secrets.make(KEY, lambda: next(made))
    assert secrets.find(KEY) == Made("b")


def test_what_was_refused_can_be_asked_for_again() -> None:
    secrets = MadeSecrets()
    assert not secrets.make(KEY, lambda: None)
    assert secrets.find(KEY) is None
    assert secrets.make(KEY, lambda: Made("a"))


def test_only_so_many_are_kept() -> None:
    secrets = MadeSecrets()
    for number in range(KEPT_MAX + 1):
        secrets.make((1, "/", str(number)), lambda: Made("a"))
    assert secrets.find((1, "/", "0")) is None
    assert secrets.find((1, "/", "1")) == Made("a")
