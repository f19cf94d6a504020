"""Ctrl-C in commands of `thingtank cloud`: each says what goes on at AWS, and how it is ended."""

from pathlib import Path

import pytest
from botocore.awsrequest import AWSResponse
from botocore.model import OperationModel
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
    (("queue", "create"), "CreateQueue", "queue delete"),
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


def refused_at(patch: pytest.MonkeyPatch, operation: str) -> None:
    """A permission is missing for a call."""
    make = AwsClients.client

    def refuse(model: OperationModel, **_: object) -> tuple[AWSResponse, dict[str, object]] | None:
        if model.name != operation:
            return None
        message = f"User: u is not authorized to perform: it:{operation}"
        return AWSResponse("http://127.0.0.1", 403, {}, None), {
            "Error": {"Code": "AccessDenied", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }

    def client(self: AwsClients, wanted: str) -> object:
        made = make(self, wanted)
        made.meta.events.register("before-call", refuse)
        return made

    patch.setattr(AwsClients, "client", client)


def test_bucket_that_could_not_be_closed_is_taken_back(
    moto: AwsSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next time it would be there, and taken as it is: open."""
    name, file = own_name("bucket"), tmp_path / "file"
    file.write_text("text")
    for breaks in (refused_at, interrupt_after):
        with monkeypatch.context() as patch:
            breaks(patch, "PutPublicAccessBlock")
            stopped = run_cloud(moto, "upload", str(file), f"s3://{name}", "--make-bucket")
        assert stopped.exit_code == 1
        assert f"Took back the bucket {name}" in stopped.stderr
    names = [each["Name"] for each in AwsClients(moto).client("s3").list_buckets()["Buckets"]]
    assert name not in names


@pytest.mark.parametrize(
    ("words", "operation"),
    [
        (("table", "create", "--backed-up"), "UpdateContinuousBackups"),
        (("stream", "create"), "DescribeStreamSummary"),
    ],
)
def test_what_is_made_before_a_refusal_is_said_with_how_it_ends(
    words: tuple[str, ...], operation: str, moto: AwsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own_name("half")
    with monkeypatch.context() as patch:
        refused_at(patch, operation)
        refused = run_cloud(moto, *words, name)
    assert refused.exit_code == 1
    assert f"it:{operation}" in refused.stderr
    assert f"thingtank cloud {words[0]} delete {name}" in refused.stderr
