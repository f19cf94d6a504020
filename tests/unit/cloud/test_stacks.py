"""Stacks: what no stand-in does, by botocore's Stubber."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.stubbed_aws import StubbedAws, Told

from thingtank.cli.cloud.session import explained
from thingtank.cli.main import main
from thingtank.cli.session import Refusal
from thingtank.cloud.deployment import stacks
from thingtank.cloud.deployment.stacks import Change, ChangeSet
from thingtank.cloud.errors import NotDone
from thingtank.cloud.waiting import WaitFailed

Stubbed = Callable[..., StubbedAws]
AT = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
TEMPLATE: dict[str, Any] = {"Parameters": {"MinSize": {"Default": 1}}}
APP = [{"Key": "app", "Value": "thingtank"}]


def stack(status: str, tags: list[dict[str, str]] = APP) -> dict[str, Any]:
    return {
        "StackName": "a-stack",
        "StackId": "arn:a",
        "CreationTime": AT,
        "StackStatus": status,
        "Tags": tags,
    }


def event(number: int, name: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": "arn:a", "EventId": str(number), "StackName": "a-stack", "Timestamp": AT,
        "LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason,
    }  # fmt: skip


def prepared(stubbed: Stubbed, there: dict[str, Any] | None) -> StubbedAws:
    """AWS up to where a change set is asked after."""
    aws = stubbed("cloudformation")
    if there is None:
        aws.refuse("cloudformation", "describe_stacks", "ValidationError", "does not exist")
    else:
        aws.answer("cloudformation", "describe_stacks", Stacks=[there])
    aws.answer("cloudformation", "validate_template")
    aws.answer("cloudformation", "create_change_set", Id="arn:set", StackId="arn:a")
    return aws


def test_stack_that_fails_says_what_failed_first_and_is_deleted_by_aws(stubbed: Stubbed) -> None:
    aws, told = prepared(stubbed, None), Told()
    aws.answer("cloudformation", "describe_change_set", Status="CREATE_COMPLETE")
    change = {"Action": "Add", "LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC"}
    aws.answer("cloudformation", "describe_change_set", Status="CREATE_COMPLETE",
               Changes=[{"Type": "Resource", "ResourceChange": change}])  # fmt: skip
    before = [event(1, "a-stack", "REVIEW_IN_PROGRESS")]
    aws.answer("cloudformation", "describe_stack_events", StackEvents=before)
    aws.answer("cloudformation", "execute_change_set")
    after = [
        event(4, "Bucket", "CREATE_FAILED", "Resource creation cancelled"),
        event(3, "Vpc", "CREATE_FAILED", "The maximum number of VPCs has been reached."),
        event(2, "Vpc", "CREATE_IN_PROGRESS"), *before,
    ]  # fmt: skip
    for status in ("CREATE_IN_PROGRESS", "DELETE_COMPLETE"):
        aws.answer("cloudformation", "describe_stacks", Stacks=[stack(status)])
        aws.answer("cloudformation", "describe_stack_events", StackEvents=after)
    aws.answer("cloudformation", "describe_stack_events", StackEvents=after)
    with ChangeSet(aws.clients, "a-stack", TEMPLATE, told) as changes:
        assert changes.changes == [("Add", "Vpc", "AWS::EC2::VPC")]
        with pytest.raises(WaitFailed, match="First of all, Vpc: The maximum number of VPCs"):
            changes.run()
    assert [line.split(":")[0] for line in told.lines] == [
        "CREATE_FAILED Vpc",
        "CREATE_FAILED Bucket",
    ]
    assert told.waited == ["CREATE_IN_PROGRESS Vpc"]
    (asked,) = aws.asked("CreateChangeSet")
    assert (asked["OnStackFailure"], asked["ChangeSetType"]) == ("DELETE", "CREATE")
    assert asked["Parameters"] == [{"ParameterKey": "MinSize", "ParameterValue": "1"}]
    aws.assert_all_asked()


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit …",
        "No updates are to be performed.",
    ],
)
def test_nothing_to_change_is_success(stubbed: Stubbed, reason: str) -> None:
    aws = prepared(stubbed, stack("UPDATE_COMPLETE"))
    aws.answer("cloudformation", "describe_change_set", Status="FAILED", StatusReason=reason)
    aws.answer("cloudformation", "delete_change_set")
    aws.answer("cloudformation", "describe_stacks", Stacks=[stack("UPDATE_COMPLETE")])
    with ChangeSet(aws.clients, "a-stack", TEMPLATE, Told()) as changes:
        assert changes.changes == []
    aws.assert_all_asked()


def test_refused_change_leaves_no_change_set_and_no_empty_stack(stubbed: Stubbed) -> None:
    aws = prepared(stubbed, None)
    aws.answer(
        "cloudformation", "describe_change_set", Status="FAILED", StatusReason="Bad template"
    )
    aws.answer("cloudformation", "delete_change_set")
    aws.answer("cloudformation", "describe_stacks", Stacks=[stack("REVIEW_IN_PROGRESS")])
    aws.answer("cloudformation", "delete_stack")
    with (
        pytest.raises(NotDone, match="Bad template"),
        ChangeSet(aws.clients, "a-stack", TEMPLATE, Told()),
    ):
        pass
    aws.assert_all_asked()


def test_stack_of_others_is_not_touched(stubbed: Stubbed) -> None:
    aws = stubbed("cloudformation")
    aws.answer("cloudformation", "describe_stacks", Stacks=[stack("CREATE_COMPLETE", [])])
    with (
        pytest.raises(NotDone, match="without the tag"),
        ChangeSet(aws.clients, "a-stack", TEMPLATE, Told()),
    ):
        pass


def test_change_that_is_not_waited_for_is_only_begun(stubbed: Stubbed) -> None:
    aws = prepared(stubbed, stack("CREATE_COMPLETE"))
    aws.answer("cloudformation", "describe_change_set", Status="CREATE_COMPLETE")
    aws.answer("cloudformation", "describe_change_set", Status="CREATE_COMPLETE", Changes=[])
    aws.answer("cloudformation", "describe_stack_events", StackEvents=[])
    aws.answer("cloudformation", "execute_change_set")
    with ChangeSet(aws.clients, "a-stack", TEMPLATE, Told()) as changes:
        changes.run(is_waited_for=False)
    aws.assert_all_asked()


def test_stack_that_fails_once_it_is_begun_is_said_to_be_there(stubbed: Stubbed) -> None:
    aws, told = prepared(stubbed, stack("CREATE_COMPLETE")), Told()
    aws.answer("cloudformation", "describe_change_set", Status="CREATE_COMPLETE")
    aws.answer("cloudformation", "describe_change_set", Status="CREATE_COMPLETE", Changes=[])
    aws.answer("cloudformation", "describe_stack_events", StackEvents=[])
    aws.refuse("cloudformation", "execute_change_set", "ValidationError", "no such protocol")
    with (
        pytest.raises(Refusal) as refused,
        explained(),
        ChangeSet(aws.clients, "a-stack", TEMPLATE, told) as changes,
    ):
        changes.run()
    assert "Nothing was changed" not in refused.value.message
    assert "thingtank cloud destroy a-stack" in told.lines[-1]


class Changes:
    """Stands for a change set that makes something and is then broken off."""

    is_new = True
    changes = (Change("Add", "Vpc", "AWS::EC2::VPC"),)
    standing = ("2 load balancers",)

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> "Changes":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, *, is_waited_for: bool) -> None:
        if is_waited_for:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        ([], 1, "What is there goes on, and costs: thingtank cloud status tanks"),
        (["--no-wait"], 0, "CloudFormation goes on by itself: thingtank cloud status tanks"),
    ],
)
def test_deploying_a_stack_says_what_goes_on_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], exit_code: int, said: str
) -> None:
    monkeypatch.setattr(stacks, "ChangeSet", Changes)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    asked = ["cloud", "deploy", "--stack", "--name", "tanks", *words, "--data", str(tmp_path)]
    ran = CliRunner().invoke(main, asked)
    assert (ran.exit_code, said in ran.output) == (exit_code, True), ran.output
    assert "costs as well, however many machines there are: 2 load balancers" in ran.output
