"""Static files: texts are sent compressed to who takes that, and what a map needs stays small."""

import gzip
from importlib.resources import files

import httpx
import pytest

from thingtank.web.static_files import StaticApp, static_url

WORLD = "workbench/vendor/world/"
MAP_BYTES_MAX = 300_000


async def fetched(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(StaticApp())
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as client:
        return await client.get(static_url() + path, headers={"Accept-Encoding": "", **headers})


@pytest.mark.parametrize(
    ("path", "accepted", "coding"),
    [
        ("workbench/charts.js", "gzip, deflate, br", "gzip"),
        ("workbench/charts.js", "br;q=1.0, gzip;q=0.2", "gzip"),
        ("workbench/charts.js", "gzip;q=0", None),
        ("workbench/charts.js", "gzip; q=0.000, br", None),
        ("workbench/charts.js", "br", None),
        ("workbench/charts.js", "", None),
        ("workbench/theme.js", "gzip", None),  # smaller than a packet
        ("workbench/vendor/inter/inter-latin-wght-normal.woff2", "gzip", None),  # is compressed
    ],
)
async def test_a_text_is_sent_as_gzip_to_who_takes_it(
    path: str, accepted: str, coding: str | None
) -> None:
    reply = await fetched(path, **{"Accept-Encoding": accepted})
    assert reply.status_code == 200
    assert reply.headers.get("content-encoding") == coding
    package = files("thingtank.web.workbench").joinpath("static", path)
    assert reply.content == package.read_bytes()  # httpx has unpacked it
    assert "immutable" in reply.headers["cache-control"]


async def test_a_compressed_file_keeps_its_type_and_its_mark() -> None:
    plain = await fetched("workbench/base.css")
    packed = await fetched("workbench/base.css", **{"Accept-Encoding": "gzip"})
    for name in ("content-type", "etag", "vary"):
        assert packed.headers[name] == plain.headers[name]
    again = await fetched(
        "workbench/base.css", **{"Accept-Encoding": "gzip", "If-None-Match": plain.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_the_world_of_a_first_map_is_small() -> None:
    sizes = {
        name: len(gzip.compress(files("thingtank.web.workbench").joinpath("static", WORLD, name).read_bytes()))
        for name in ("countries-50m.json", "lakes-50m.json", "places.json")
    }  # fmt: skip
    assert sum(sizes.values()) <= MAP_BYTES_MAX, sizes
