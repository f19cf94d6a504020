"""What schemathesis makes of the OpenAPI document against a whole server: no 5xx, nothing undocumented.

All of its checks are on: statuses, types, headers and schemas of answers, what must be refused and
what must be taken, authentication. Longer, from another seed each time:

    REST_API_EXAMPLES=1000 pytest tests/fuzz/test_rest_api.py
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.interop.web_security.world import Browser, Operator
from tests.live_server import LiveServer, start_server

EXAMPLES = int(os.environ.get("REST_API_EXAMPLES", "0"))
RUN_S_MAX = 100 if not EXAMPLES else 3600
HOOKS = Path(__file__).with_name("rest_hooks.py")
AT = "2026-01-01T00:00:00Z"

# Of a thousand requests a second none is to be one too many.
FLAGS = [
    flag
    for name in ("requests_per_key", "requests_per_account", "requests_per_address")
    for flag in ("--set", f"limits.{name}_s=100000", "--set", f"limits.{name}_burst=1000000")
]

CONFIG = """
hooks = "{hooks}"

[generation]
deterministic = {is_deterministic}
# Junk beside a good key is a test of the client: the other credentials are not looked at.
with-security-parameters = false

[phases.coverage]
unexpected-methods = ["PATCH", "OPTIONS"]
generate-duplicate-query-parameters = false

[checks.positive_data_acceptance]
# 409, 412, 422: what the document says of an object is right, and the object is not in that state.
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "422"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422"]

[parameters]
"query.cursor" = ""
{parameters}

[[operations]]
# Of parameters that go together only in pairs a schema cannot say so.
include-operation-id = ["list_devices", "list_datapoints"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404"]

[[operations]]
# Lines of JSON are any text to the document.
include-operation-id = "write_datapoints"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "422"]

[[operations]]
# Something else than what the other operations need.
include-operation-id-regex = "^(delete|cancel|regenerate)_"

[operations.parameters]
{doomed}
"""


class Tank(NamedTuple):
    """A server with two of everything, the second to be deleted."""

    server: LiveServer
    key: str
    kept: dict[str, Any]
    doomed: dict[str, Any]


@pytest.fixture(scope="module")
def tank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tank]:
    with start_server(tmp_path_factory.mktemp("data"), *FLAGS) as server:
        operator = Operator(server)
        key = operator("key.create", label="schemathesis")["api_key"]
        yield Tank(server, key, make_things(operator), make_things(operator))


def make_things(operator: Operator) -> dict[str, Any]:
    """One of everything, by the names that parameters of paths have."""
    device = operator("device.create", name="Roof")["feed_id"]
    operator("feed.write", feed=str(device), values={"temperature": "21"}, at=AT)
    trigger = operator("trigger.create", feed=str(device), channel="temperature", kind="gt", threshold="30", url="http://127.0.0.1:9/told")  # fmt: skip
    tested = operator("trigger.test", trigger_id=trigger["trigger_id"])
    key = operator("key.create", label="Roof", feeds=[device])
    return {
        "device": str(device),
        "datastream": "temperature",
        "at": AT,
        "trigger": trigger["trigger_id"],
        "delivery": tested["deliveries"][0]["delivery_id"],
        "key": key["key_id"],
    }


def check(tank: Tank, folder: Path, *flags: str) -> None:
    """Run it, and fail with what it found."""
    config = folder / "schemathesis.toml"
    config.write_text(
        CONFIG.format(
            hooks=HOOKS,
            is_deterministic="false" if EXAMPLES else "true",
            parameters=parameters(tank.kept),
            doomed=parameters(tank.doomed),
        )
    )
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{tank.server.url}/api/openapi.json", "--checks", "all", "--no-color", *flags]
    command += ["--seed", str(random.randrange(2**32) if EXAMPLES else 1), "--warnings", "off"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
    )
    log = tank.server.output().splitlines()
    failures = [line for line in log if "api_request_failed" in line]
    assert (done.returncode, failures) == (0, []), "\n".join(
        [done.stdout, done.stderr, *failures[:3]]
    )


def parameters(things: dict[str, Any]) -> str:
    return "\n".join(f'"path.{name}" = {value!r}' for name, value in things.items())


@pytest.mark.timeout(RUN_S_MAX + 20)
def test_the_document_holds_for_who_asks_by_key(tank: Tank, tmp_path: Path) -> None:
    phases = ["--phases", "examples,fuzzing", "--max-examples", "5"]
    if EXAMPLES:  # `coverage` alone takes half a minute
        phases = ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES)]
    check(tank, tmp_path, "-H", f"X-ApiKey: {tank.key}", *phases)


@pytest.mark.timeout(RUN_S_MAX + 20)
def test_the_document_holds_for_who_asks_by_session(tank: Tank, tmp_path: Path) -> None:
    browser = Browser(tank.server.url)
    browser.session.get(tank.server.welcome_url, timeout=30)
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.session.cookies)
    headers = ["-H", f"Cookie: {cookies}", "-H", f"X-CSRFToken: {browser.token()}"]
    # It takes its own keys away, but not a header that it was told to send with all requests.
    headers += ["--exclude-checks", "ignored_auth"]
    phases = ["--phases", "fuzzing", "--max-examples", str(EXAMPLES or 1)]
    check(tank, tmp_path, *headers, *phases)
