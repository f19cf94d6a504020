"""Paths: which pattern, and which names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.skynet.rest_paths import PATH_CHARS_MAX, PATTERNS, RestPath, parse_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_is_found_with_its_names(pattern: str) -> None:
    path = "/".join(f"x{step[1:]}" if step.startswith(":") else step for step in pattern.split("/"))
    names = {step[1:]: f"x{step[1:]}" for step in pattern.split("/") if step.startswith(":")}
    for sent in (path, path.rstrip("/") + "/"):
        found = parse_path(sent)
        assert found is not None
        assert (found.pattern, dict(found.names)) == (pattern, names)


@pytest.mark.parametrize(
    ("path", "pattern", "names"),
    [
        ("/devices/micro", "/devices/micro", {}),
        ("/devices/Micro", "/devices/:uuid", {"uuid": "Micro"}),
        ("/devices/a%2Fb", "/devices/:uuid", {"uuid": "a/b"}),
        ("/devices/%C3%A4", "/devices/:uuid", {"uuid": "ä"}),
        ("/devices/%ff", "/devices/:uuid", {"uuid": "\ufffd"}),
        ("/%64evices", "/devices", {}),
        ("/subscribe/u/sent", "/subscribe/:uuid/sent", {"uuid": "u"}),
        ("/devices/u/tokens/t", "/devices/:uuid/tokens/:token", {"uuid": "u", "token": "t"}),
    ],
)
def test_what_a_path_means(path: str, pattern: str, names: dict[str, str]) -> None:
    assert parse_path(path) == RestPath(pattern, names)


@pytest.mark.parametrize(
    "path",
    [
        "", "devices", "*", "//", "/devices//", "//devices", "/devices//x", "/DEVICES", "/subscribe/u/x",
        "/v2", "/v2/devices/u/x", "/v4/devices/u", "/devices/u/tokens/t/x", "/devices?x",
        "/devices/" + "x" * PATH_CHARS_MAX,
    ],
)  # fmt: skip
def test_what_is_no_path(path: str) -> None:
    assert parse_path(path) is None


def test_a_token_in_a_path_is_not_printed() -> None:
    assert "secret" not in repr(parse_path("/devices/u/tokens/secret"))


@given(st.text(alphabet="/devicsuabort%2F:?v2", max_size=60))
def test_any_text_is_a_path_or_none(text: str) -> None:
    found = parse_path(text)
    assert found is None or found.pattern in PATTERNS
