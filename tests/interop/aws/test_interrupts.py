"""Ctrl-C in commands of `thingtank cloud`: each says what goes on at AWS, and how it is ended."""

from pathlib import Path

import pytest
from tests.aws_commands import Cloud, run_cloud
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cloud.deployment import destroy


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def interrupt_after(patch: pytest.MonkeyPatch, operation: str) -> None:
    """Ctrl-C comes just after a call."""
    make = AwsClients.client

    def client(self: AwsClients, wanted: str) -> object:
        made = make(self, wanted)
        made.meta.events.register(f"after-call.*.{operation}", interrupted)
        return made

    patch.setattr(AwsClients, "client", client)


def test_destroy_that_is_stopped_says_what_stays_and_status_shows_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own_name("group")
    made = cloud("deploy", "--name", name, "--min", "0", "--no-wait")
    assert made.exit_code == 0, made.output
    with monkeypatch.context() as patch:
        patch.setattr(destroy, "_wait_until_gone", interrupted)
        stopped = cloud("destroy", name, "--yes")
    assert stopped.exit_code == 1
    assert f"thingtank cloud destroy {name} again" in stopped.stderr
    assert f"parts left of {name}" in cloud("status").stderr
    shown = cloud("status", name)
    assert shown.exit_code == 1
    for part in (f"alarm {name}-scale-up", f"launch template {name}", "security group"):
        assert part in shown.stderr
    assert cloud("destroy", name, "--yes").exit_code == 0
    assert name not in cloud("status").stderr


def test_machine_alone_is_no_leftover_of_a_group(cloud: Cloud) -> None:
    name = own_name("machine")
    assert cloud("instance", "launch", "--name", name, "--no-wait").exit_code == 0
    assert name not in cloud("status").stderr
    cloud("instance", "terminate", name, "--yes")


def test_terminate_forgets_a_launch_that_was_stopped(
    moto: AwsSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own_name("stopped")
    with monkeypatch.context() as patch:
        interrupt_after(patch, "RunInstances")
        stopped = run_cloud(moto, "instance", "launch", "--name", name, folder=tmp_path)
    assert stopped.exit_code == 1
    (token,) = (tmp_path / "cloud").glob("*.token")  # nobody knows whether there is a machine
    ended = run_cloud(moto, "instance", "terminate", name, "--yes", folder=tmp_path)
    assert ended.exit_code == 0, ended.output
    assert not token.exists()


LAST_CALLS = [
    (("instance", "launch", "--name"), "RunInstances", "instance terminate"),
    (("database", "create", "--version", "8.4.7"), "CreateDBInstance", "database delete"),
    (("stream", "create"), "CreateStream", "stream delete"),
    (("table", "create"), "CreateTable", "table delete"),
    (("deploy", "--min", "0", "--name"), "CreateAutoScalingGroup", "status"),
]


@pytest.mark.parametrize(("words", "operation", "ends"), LAST_CALLS)
def test_ctrl_c_just_after_a_call_says_what_it_may_have_made(
    words: tuple[str, ...], operation: str, ends: str, moto: AwsSettings, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    name = own_name("cut")
    with monkeypatch.context() as patch:
        interrupt_after(patch, operation)
        stopped = run_cloud(moto, *words, name, folder=tmp_path)
    assert stopped.exit_code == 1
    assert f"thingtank cloud {ends} {name}" in stopped.stderr


@pytest.mark.parametrize("words", [("stream", "create", "a b"), ("queue", "create", "a b"),
                                   ("table", "create", "a b", "--hash", "id")])  # fmt: skip
def test_name_that_aws_never_takes_is_wrong_use(words: tuple[str, ...], moto: AwsSettings) -> None:
    refused = run_cloud(moto, *words)
    assert (refused.exit_code, "cannot be the name" in refused.stderr) == (2, True), refused.output
