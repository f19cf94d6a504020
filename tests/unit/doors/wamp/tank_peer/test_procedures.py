"""Every action has a procedure, and every procedure says what it takes and gives."""

import importlib
import inspect
import pkgutil
from collections import Counter

import pytest

from thingtank.doors.wamp.tank_peer.help import help_of
from thingtank.doors.wamp.tank_peer.procedures import PROCEDURES, Procedure
from thingtank.protocols.wamp.uris import is_uri
from thingtank.tank import actions

_PART = "a part of other actions, which checks no rights"
WITHOUT_PROCEDURE = {
    "datapoints.check_writes": _PART,
    "datapoints.apply_writes": _PART,
    "datastreams.existing": _PART,
    "datastreams.draft": _PART,
    "datastreams.checked_datastream_change": _PART,
    "datastreams.add_missing": _PART,
    "datastreams.apply_datastream_change": _PART,
    "devices.new_secret": _PART,
    "devices.check_chosen": _PART,
    "devices.kept_device": _PART,
    "devices.check_new": _PART,
    "devices.device_key": _PART,
    "devices.checked_device_change": _PART,
    "devices.apply_device_change": _PART,
    "datapoints.begin_plain_writes": _PART,
    "bulk.record_bulk": "calls in a row, of which each names one device, share a commit as well",
    "datapoints.read_steps": "`tank.datapoints.history` with an interval tells the same",
    "datastreams.create_datastream": "`tank.datastreams.create`, which takes a value as well",
    "datastreams.update_datastream": "`tank.datastreams.update`, which takes a value as well",
    "sending_keys.ensure_sending_key": "`tank.keys.create` makes the same key",
    "sending_keys.find_sending_key": "`tank.keys.list` tells of it",
    "sending_keys.delete_sending_keys": "a part of `products.deactivate_device`",
    "feeds.delete_other_datastreams": "what a PUT of Xively's v1 does; here each is deleted by name",
    "tokens.new_token": _PART,
    "tokens.lend_token": "what a hook's request does by itself",
    "tokens.take_back_token": "what a hook's request does by itself",
    "triggers.drafted": _PART,
    "keys.key_of_secret": "finds the key that a path of HTTP names by its secret; here keys have numbers",
    "retention.apply_retention": "housekeeping of the instance itself; only its operator may",
    "leftovers.delete_leftovers": "housekeeping of the instance itself; only its operator may",
    "leftovers.forget_gone_accounts": "housekeeping of the instance itself; only its operator may",
}


def functions_of_actions() -> dict[str, object]:
    found = {}
    for info in pkgutil.iter_modules(actions.__path__):
        module = importlib.import_module(f"{actions.__name__}.{info.name}")
        for name, function in vars(module).items():
            is_own = getattr(function, "__module__", "") == module.__name__
            if inspect.isfunction(function) and is_own and not name.startswith("_"):
                found[f"{info.name}.{name}"] = function
    return found


def test_every_action_has_a_procedure_or_a_reason_not_to() -> None:
    provided = {procedure.action for procedure in PROCEDURES}
    found = functions_of_actions()
    missing = {name for name, function in found.items() if function not in provided}
    assert missing == set(WITHOUT_PROCEDURE)


def test_names_are_there_once_and_have_three_parts() -> None:
    assert [uri for uri, count in Counter(p.uri for p in PROCEDURES).items() if count > 1] == []
    for procedure in PROCEDURES:
        assert is_uri(procedure.uri, is_strict=True)
        root, noun, verb = procedure.uri.split(".")
        assert (root, noun[-1], bool(verb)) == ("tank", "s", True)


@pytest.mark.parametrize("procedure", PROCEDURES, ids=lambda procedure: procedure.uri)
def test_a_procedure_says_what_it_takes_gives_and_refuses(procedure: Procedure) -> None:
    told = help_of(procedure)
    assert told.summary.endswith(".")
    assert told.returns
    explained = [name for names in told.args for name in names.split(", ")]
    parameters = list(inspect.signature(procedure.function).parameters)[1:]
    assert explained == parameters
    assert "wamp.error.invalid_argument" in told.errors
    assert len(told.errors) > 1
    assert "feed" in parameters or not procedure.is_logged


def test_nothing_with_secrets_is_in_the_request_log() -> None:
    nouns = {procedure.uri.split(".")[1] for procedure in PROCEDURES if procedure.is_logged}
    assert nouns == {"feeds", "datastreams", "datapoints"}
