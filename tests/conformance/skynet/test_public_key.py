"""`GET /publickey`, with which receivers of hooks check who has signed."""

from pathlib import Path

from tests.conformance.skynet.conftest import SkyNet

from thingtank.server.hooks.start import make_hook_parts


async def test_everybody_is_told_the_key_of_this_server(closed: SkyNet, tmp_path: Path) -> None:
    make_hook_parts(closed.tank, tmp_path)
    answer = await closed.ask("GET", "/publickey")
    assert answer.status_code == 200
    assert answer.json()["publicKey"].startswith("-----BEGIN PUBLIC KEY-----\n")
    assert (await closed.ask("GET", "/publickey")).json() == answer.json()


async def test_a_server_that_signs_nothing_says_so(closed: SkyNet) -> None:
    assert (await closed.ask("GET", "/publickey")).status_code == 503
