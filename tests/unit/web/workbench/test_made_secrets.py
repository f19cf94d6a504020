"""Secrets that were just made: one of a form, for a while, for its account."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.waiting import WAIT_S_MAX

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


def test_who_sends_twice_waits_for_the_first_and_nobody_else_does() -> None:
    secrets, begun, may_go_on = MadeSecrets(), threading.Event(), threading.Event()

    def make_slowly() -> Made:
        begun.set()
        assert may_go_on.wait(WAIT_S_MAX)
        return Made("slow")

    with ThreadPoolExecutor() as pool:
        first = pool.submit(secrets.make, KEY, make_slowly)
        assert begun.wait(WAIT_S_MAX)
        second = pool.submit(secrets.make, KEY, lambda: Made("twice"))
        other = (2, *KEY[1:])
        assert secrets.make(other, lambda: Made("other"))
        assert (secrets.find(other), secrets.find(KEY)) == (Made("other"), None)
        may_go_on.set()
        assert (first.result(WAIT_S_MAX), second.result(WAIT_S_MAX)) == (True, True)
    assert secrets.find(KEY) == Made("slow")


def test_a_fault_leaves_nothing_behind() -> None:
    secrets = MadeSecrets()
    with pytest.raises(OSError, match="the disk"):
        secrets.make(KEY, _fail)
    assert secrets.make(KEY, lambda: Made("a"))


def _fail() -> Made:
    raise OSError("the disk")
