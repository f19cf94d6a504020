"""The pages about SkyNet say what is: tests and settings exist, every event and setting is told."""

import re
from typing import get_args

import pytest
from tests.project.reference_pages import ROOT, ReferencePage, unknown

from thingtank.doors.skynet.raw_websocket import _HANDLERS, _STRANGERS
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.doors.skynet.sockets.events.table import EVENTS
from thingtank.server.config import Config
from thingtank.tank.actions.messages import Outcome

FOLDER = "tests/conformance"
PAGE = ReferencePage("skynet.md", FOLDER)
SOCKETS = ReferencePage("skynet-sockets.md", FOLDER)
PAGES = {"skynet.md": PAGE, "skynet-sockets.md": SOCKETS}
NAMED = sorted({*PAGE.named, *SOCKETS.named})
ELSEWHERE = {"port", "open_access", "account", "allowed_origins"}  # settings that are no limits
DEFECTS_MIN = 15


@pytest.mark.parametrize(("file", "name"), NAMED, ids=str)
def test_tests_of_the_pages_exist(file: str, name: str) -> None:
    assert PAGE.has_test(file, name)


def test_every_feature_choice_and_limit_names_a_test() -> None:
    assert PAGE.rows_without_test("## Generations") == []


@pytest.mark.parametrize(
    "heading", ["Wires", "A session", "Events that a client hears", "Meshblu's WebSocket", "Refusals", "Heartbeats",
                "Long polling", "Upgrades from polling to a WebSocket"]
)  # fmt: skip
def test_every_row_about_sockets_names_a_test(heading: str) -> None:
    rows = [row for row in SOCKETS.rows() if row in SOCKETS.section(heading)]
    assert rows
    assert [row for row in rows if "::" not in row] == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("section", ["skynet", "kept_messages", "device_events", "limits"])
def test_settings_of_the_pages_exist(name: str, section: str) -> None:
    known = type(getattr(Config(), section)).__struct_fields__
    assert unknown(PAGES[name].settings(section), known) == []


def test_every_setting_that_is_a_limit_is_told() -> None:
    limits = set(SkynetSettings.__struct_fields__) - ELSEWHERE
    assert unknown(limits, PAGE.settings_told("skynet", "Limits")) == []
    for section in ("kept_messages", "device_events"):
        known = type(getattr(Config(), section)).__struct_fields__
        assert unknown(known, PAGE.settings_told(section, "Limits")) == []


def test_every_event_of_a_client_is_told_and_no_other() -> None:
    told = re.findall(r"^\| (`.*?) \|", SOCKETS.section("Events that a client emits"), re.M)
    names = {name for cell in told for name in re.findall(r"`(\w+)`", cell)}
    assert names | {"gatewayConfigAck"} == EVENTS.keys()


def test_every_frame_of_a_client_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", SOCKETS.section("Meshblu's WebSocket")))
    assert unknown({*_HANDLERS, *_STRANGERS}, told) == []


def test_each_defect_of_the_historic_servers_has_what_ours_does() -> None:
    heading = "What was chosen where the servers differ or erred"
    rows = [row for row in PAGE.rows() if row in PAGE.section(heading)]
    assert len(rows) > DEFECTS_MIN
    assert all(len(row.split(" | ")) == 3 for row in rows)


def test_every_outcome_of_a_message_is_explained() -> None:
    text = (ROOT / "docs/explain/messages.md").read_text()
    table = text.split("| `outcome` |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == list(get_args(Outcome))
    settings = re.findall(r"`(skynet|kept_messages|device_events)\.(\w+)`", text)
    assert len(settings) > 3
    for section, name in settings:
        assert hasattr(getattr(Config(), section), name), name
