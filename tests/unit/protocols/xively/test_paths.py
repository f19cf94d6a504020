"""Paths as resources: extensions, dots in ids, slashes, other scripts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.paths import (
    DatapointPath,
    DatapointsPath,
    DatastreamPath,
    DatastreamsPath,
    FeedPath,
    FeedsPath,
    Target,
    XivelyPath,
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


@pytest.mark.parametrize(("raw_path", "path", "extension"), ROUTES)
def test_a_path_names_a_resource_and_perhaps_a_format(
    raw_path: str, path: XivelyPath, extension: str
) -> None:
    assert parse_path(raw_path) == Target(path, extension)


def test_an_escaped_colon_in_a_time_is_the_same_time() -> None:
    escaped = T.replace(":", "%3A")
    path = parse_path(f"/v2/feeds/7/datastreams/a/datapoints/{escaped}").path
    assert isinstance(path, DatapointPath)
    assert path.at_us == T_US


NOWHERE = [
    "/",
    "/v2",
    "/v2/",
    "/v1/feeds/7",
    "/v2/triggers",
    "/v2/feeds/7/nonsense",
    "/v2/feeds/7/datastreams/a/nonsense",
    "/v2/feeds/7/datastreams/a/datapoints/b/c",
    "/v2/feeds/7/datastreams/" + "a" * 3000,
]


@pytest.mark.parametrize("raw_path", NOWHERE)
def test_other_paths_name_nothing(raw_path: str) -> None:
    assert parse_path(raw_path).path is None


@given(st.text(max_size=60))
def test_no_path_is_too_odd_to_be_read(rest: str) -> None:
    assert isinstance(parse_path(f"/v2/feeds/{rest}"), Target)
