"""Paths as resources: extensions, dots in ids, slashes, other scripts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.paths import (
    PATH_CHARS_MAX,
    ActivationPath,
    DatapointPath,
    DatapointsPath,
    DatastreamPath,
    DatastreamsPath,
    DevicePath,
    DevicesPath,
    FeedKeysPath,
    FeedPath,
    FeedsPath,
    KeyPath,
    KeyRegenerationPath,
    KeysPath,
    ProductPath,
    ProductsPath,
    Target,
    TriggerPath,
    TriggersPath,
    UserPath,
    UsersPath,
    XivelyPath,
    _parse,
    parse_path,
)

T = "2012-02-22T11:22:31.130138Z"
T_US = 1_329_909_751_130_138

ROUTES: list[tuple[str, XivelyPath, str]] = [
    ("/v2/feeds", FeedsPath(), ""),
    ("/v2/feeds/", FeedsPath(), ""),
    ("/v2/feeds.json", FeedsPath(), "json"),
    ("/v2/feeds/7", FeedPath(7, "7"), ""),
    ("/v2/feeds/7/", FeedPath(7, "7"), ""),
    ("/v2/feeds/7.json", FeedPath(7, "7"), "json"),
    ("/v2/feeds/7.JSON", FeedPath(7, "7"), "json"),
    ("/v2/feeds/7.xml", FeedPath(7, "7"), "xml"),
    ("/v2/feeds/7.pdf", FeedPath(7, "7"), "pdf"),
    ("/v2/feeds/roof", FeedPath(-1, "roof"), ""),
    ("/v2/feeds/-7", FeedPath(-1, "-7"), ""),
    ("/v2/feeds/" + "9" * 19, FeedPath(-1, "9" * 19), ""),
    ("/v2/feeds/\u0667", FeedPath(-1, "\u0667"), ""),
    ("/v2/feeds/7/datastreams", DatastreamsPath(7, "7"), ""),
    ("/v2/feeds/7/datastreams.json", DatastreamsPath(7, "7"), "json"),
    ("/v2/feeds/7/datastreams/temp", DatastreamPath(7, "7", "temp"), ""),
    ("/v2/feeds/7/datastreams/my.temp", DatastreamPath(7, "7", "my.temp"), ""),
    ("/v2/feeds/7/datastreams/my.temp.json", DatastreamPath(7, "7", "my.temp"), "json"),
    ("/v2/feeds/7/datastreams/temp.png", DatastreamPath(7, "7", "temp"), "png"),
    ("/v2/feeds/7/datastreams/.json", DatastreamPath(7, "7", ".json"), ""),
    ("/v2/feeds/7/datastreams/a%2Fb", DatastreamPath(7, "7", "a/b"), ""),
    ("/v2/feeds/7/datastreams/%E6%B8%A9", DatastreamPath(7, "7", "温"), ""),
    ("/v2/feeds/7/datastreams/a+b", DatastreamPath(7, "7", "a+b"), ""),
    ("/v2/feeds/7/datastreams/temp/datapoints", DatapointsPath(7, "7", "temp"), ""),
    ("/v2/feeds/7/datastreams/temp/datapoints.csv", DatapointsPath(7, "7", "temp"), "csv"),
    (f"/v2/feeds/7/datastreams/a/datapoints/{T}", DatapointPath(7, "7", "a", T, T_US), ""),
    (f"/v2/feeds/7/datastreams/a/datapoints/{T}.json", DatapointPath(7, "7", "a", T, T_US), "json"),
    ("/v2/feeds/7/datastreams/a/datapoints/now", DatapointPath(7, "7", "a", "now", None), ""),
]  # fmt: skip


OTHER_ROUTES: list[tuple[str, XivelyPath, str]] = [
    ("/v2/triggers", TriggersPath(), ""),
    ("/v2/triggers.xml", TriggersPath(), "xml"),
    ("/v2/triggers/9.json", TriggerPath(9, "9"), "json"),
    ("/v2/triggers/x", TriggerPath(-1, "x"), ""),
    ("/v2/keys/", KeysPath(), ""),
    ("/v2/keys/a-b_C.xml", KeyPath("a-b_C"), "xml"),
    ("/v2/keys/K/regenerate", KeyRegenerationPath("K"), ""),
    ("/v2/keys/K/regenerate.json", KeyRegenerationPath("K"), "json"),
    ("/v2/feeds/7/keys", FeedKeysPath(7, "7"), ""),
    ("/v2/products/", ProductsPath(), ""),
    ("/v2/products/h5wT2I_-.json", ProductPath("h5wT2I_-"), "json"),
    ("/v2/products/P/devices", DevicesPath("P"), ""),
    ("/v2/products/P/devices/A:1,2_-+", DevicePath("P", "A:1,2_-+"), ""),
    ("/v2/products/P/devices/S.json", DevicePath("P", "S"), "json"),
    ("/v2/devices/0f3a/activate", ActivationPath("0f3a"), ""),
    ("/v2/devices/0f3a/activate.csv", ActivationPath("0f3a"), "csv"),
    ("/v2/users", UsersPath(), ""),
    ("/v2/users/ada.l", UserPath("ada.l"), ""),
    ("/v2/users/ada.l.xml", UserPath("ada.l"), "xml"),
    ("/v2/feeds/7/datastreams/0/history.png", DatastreamPath(7, "7", "0"), "png"),
]
LEGACY_ROUTES: list[tuple[str, XivelyPath, str]] = [
    ("/v1/feeds", FeedsPath(), ""),
    ("/v1/feeds.xml", FeedsPath(), "xml"),
    ("/v1/feeds/7", FeedPath(7, "7"), ""),
    ("/v1/feeds/7.csv", FeedPath(7, "7"), "csv"),
    ("/v1/feeds/7/datastreams/0.csv", DatastreamPath(7, "7", "0"), "csv"),
    ("/v1/feeds/7/datastreams/0/history.png", DatastreamPath(7, "7", "0"), "png"),
    ("/feeds/7/datastreams/0/history.png", DatastreamPath(7, "7", "0"), "png"),
    ("/api.xml", FeedsPath(), "xml"),
    ("/api/7", FeedPath(7, "7"), ""),
    ("/api/7.csv", FeedPath(7, "7"), "csv"),
    ("/api/7.xml/", FeedPath(7, "7"), "xml"),
    ("/api/7/datastreams/0.xml", DatastreamPath(7, "7", "0"), "xml"),
]


@pytest.mark.parametrize(("raw_path", "path", "extension"), ROUTES + OTHER_ROUTES)
def test_a_path_names_a_resource_and_perhaps_a_format(
    raw_path: str, path: XivelyPath, extension: str
) -> None:
    assert parse_path(raw_path) == Target(path, extension)


@pytest.mark.parametrize(("raw_path", "path", "extension"), LEGACY_ROUTES)
def test_8_2_a_path_of_v1_names_the_same_resources(
    raw_path: str, path: XivelyPath, extension: str
) -> None:
    assert parse_path(raw_path) == Target(path, extension, version=1)


def test_a_path_that_holds_a_secret_does_not_show_it() -> None:
    for raw_path in ("/v2/keys/SECRET", "/v2/keys/SECRET/regenerate"):
        assert "SECRET" not in repr(parse_path(raw_path))


def test_no_more_is_kept_of_paths_than_the_limit_says() -> None:
    before = _parse.cache_info()
    assert before.maxsize == 8192
    parse_path("/v2/feeds/" + "7" * PATH_CHARS_MAX)
    assert _parse.cache_info().misses == before.misses
    assert parse_path(("/v2/feeds/" + "7" * PATH_CHARS_MAX)[:PATH_CHARS_MAX]).path is not None


def test_an_escaped_colon_in_a_time_is_the_same_time() -> None:
    escaped = T.replace(":", "%3A")
    path = parse_path(f"/v2/feeds/7/datastreams/a/datapoints/{escaped}").path
    assert isinstance(path, DatapointPath)
    assert path.at_us == T_US


NOWHERE = [
    "/",
    "/v2",
    "/v2/",
    "/v3/feeds/7",
    "/v1/triggers",
    "/v1/keys",
    "/v1/feeds/7/keys",
    "/api",
    "/api/",
    "/api/devices/7",
    "/api/feeds/7",
    "/api.pdf",
    "/api.xml/7",
    "/apis/7",
    "/feeds/7",
    "/feeds/7/datastreams/0",
    "/feeds/7/datastreams/0/history.json",
    "v2/feeds/7",
    "//v2/feeds/7",
    "/v2/keys/K/nonsense",
    "/v2/triggers/7/nonsense",
    "/v2/products/P/nonsense",
    "/v2/products/P/devices/S/nonsense",
    "/v2/devices",
    "/v2/devices/CODE",
    "/v2/feeds/7/nonsense",
    "/v2/feeds/7/datastreams/0/history",
    "/v2/feeds/7/datastreams/0/history.csv",
    "/v2/feeds/7/datastreams/a/nonsense",
    "/v2/feeds/7/datastreams/a/datapoints/b/c",
    "/v2/feeds/7/datastreams/" + "a" * 3000,
]


@pytest.mark.parametrize("raw_path", NOWHERE)
def test_other_paths_name_nothing(raw_path: str) -> None:
    assert parse_path(raw_path).path is None


@given(
    st.sampled_from(["/v2/", "/v2/feeds/", "/v1/feeds/7/", "/api/", "/api/7", ""]),
    st.text(max_size=60),
)
def test_no_path_is_too_odd_to_be_read(prefix: str, rest: str) -> None:
    assert isinstance(parse_path(prefix + rest), Target)
