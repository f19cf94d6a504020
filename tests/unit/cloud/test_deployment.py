"""A group of machines: what no stand-in does, by botocore's Stubber."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from tests.stubbed_aws import StubbedAws, Told

from thingtank.cli.cloud.session import QuotaRefusal, explained
from thingtank.cli.session import Refusal
from thingtank.cloud.deployment.description import Deployment, estimate_of
from thingtank.cloud.deployment.destroy import destroy
from thingtank.cloud.deployment.direct import deploy
from thingtank.cloud.deployment.groups import wait_in_service
from thingtank.cloud.errors import NotDone

Stubbed = Callable[..., StubbedAws]
AT = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
NAME = "a-group"


def group(desired: int, *machines: str) -> dict[str, Any]:
    instances = [
        {
            "InstanceId": f"i-{number}", "AvailabilityZone": "us-east-1a", "HealthStatus": "Healthy",
            "LifecycleState": state, "ProtectedFromScaleIn": False,
        }
        for number, state in enumerate(machines)
    ]  # fmt: skip
    return {
        "AutoScalingGroupName": NAME, "MinSize": 0, "MaxSize": 2, "DesiredCapacity": desired,
        "DefaultCooldown": 300, "AvailabilityZones": ["us-east-1a"], "HealthCheckType": "EC2",
        "CreatedTime": AT, "Instances": instances,
    }  # fmt: skip


def activity(own_id: str, status: str, message: str) -> dict[str, Any]:
    return {
        "ActivityId": own_id, "AutoScalingGroupName": NAME, "Cause": "a difference",
        "StartTime": AT, "StatusCode": status, "StatusMessage": message,
    }  # fmt: skip


def prepared(stubbed: Stubbed) -> StubbedAws:
    """AWS up to where something is made."""
    aws = stubbed("ec2", "ssm", "autoscaling", "cloudwatch")
    aws.answer("ec2", "describe_instance_types", InstanceTypes=[
        {"ProcessorInfo": {"SupportedArchitectures": ["arm64"]}}
    ])  # fmt: skip
    aws.answer("ssm", "get_parameter", Parameter={"Value": "ami-1"})
    aws.answer("ec2", "describe_images", Images=[{"ImageId": "ami-1"}])
    aws.answer("ec2", "describe_subnets", Subnets=[
        {"SubnetId": "subnet-1", "AvailabilityZone": "us-east-1a", "VpcId": "vpc-1"}
    ])  # fmt: skip
    offered = [{"Location": "us-east-1a"}]
    aws.answer("ec2", "describe_instance_type_offerings", InstanceTypeOfferings=offered)
    return aws


def test_machine_that_cannot_be_started_is_said_in_aws_words(stubbed: Stubbed) -> None:
    aws = stubbed("autoscaling")
    old = activity("old", "Failed", "an old failure")
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[group(1)])
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[old])
    aws.answer(
        "autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[group(1, "Pending")]
    )
    failed = activity("new", "Failed", "We currently do not have sufficient t3.micro capacity.")
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[failed, old])
    told = Told()
    with pytest.raises(NotDone, match="do not have sufficient") as refused:
        wait_in_service(aws.clients, NAME, told, ["old"])
    assert f"thingtank cloud destroy {NAME}" in str(refused.value)
    assert told.waited == ["a-group: 0 of 1 in service"] * 2
    aws.assert_all_asked()


def test_group_is_waited_for_over_a_failure_that_passes(stubbed: Stubbed) -> None:
    aws = stubbed("autoscaling")
    aws.refuse("autoscaling", "describe_auto_scaling_groups", "Throttling", "Rate exceeded")
    aws.answer(
        "autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[group(1, "Pending")]
    )
    aws.refuse("autoscaling", "describe_scaling_activities", "Throttling", "Rate exceeded")
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    aws.answer(
        "autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[group(1, "InService")]
    )
    assert wait_in_service(aws.clients, NAME, Told())["DesiredCapacity"] == 1
    aws.assert_all_asked()


def test_account_without_launch_configurations_has_a_template(stubbed: Stubbed) -> None:
    aws, told = prepared(stubbed), Told()
    aws.refuse(
        "autoscaling", "create_launch_configuration", "UnsupportedOperation", "Not in your account."
    )
    aws.answer("ec2", "create_launch_template", LaunchTemplate={"LaunchTemplateId": "lt-1"})
    aws.answer("autoscaling", "create_auto_scaling_group")
    aws.answer("autoscaling", "put_scaling_policy", PolicyARN="arn:policy")
    wanted = Deployment(name=NAME, groups=("sg-1",), launch="configuration", policies="target")
    deploy(aws.clients, wanted, told, is_waited_for=False)
    assert "No launch configuration: Not in your account. Taking a launch template" in told.lines
    (asked,) = aws.asked("CreateAutoScalingGroup")
    assert asked["LaunchTemplate"] == {"LaunchTemplateId": "lt-1", "Version": "1"}
    assert asked["VPCZoneIdentifier"] == "subnet-1"
    assert "arm64" in aws.asked("GetParameter")[0]["Name"]
    aws.assert_all_asked()


def test_quota_ends_with_exit_code_3_and_nothing_is_left(stubbed: Stubbed) -> None:
    aws, told = prepared(stubbed), Told()
    aws.answer("ec2", "create_launch_template", LaunchTemplate={"LaunchTemplateId": "lt-1"})
    aws.answer("autoscaling", "create_auto_scaling_group")
    aws.refuse("autoscaling", "put_scaling_policy", "LimitExceeded", "Too many policies")
    aws.answer("autoscaling", "delete_auto_scaling_group")
    aws.answer("ec2", "delete_launch_template")
    with pytest.raises(QuotaRefusal, match="Too many policies"), explained():
        deploy(aws.clients, Deployment(name=NAME, groups=("sg-1",)), told)
    aws.assert_all_asked()
    assert told.lines[-2:] == [
        "Took back group a-group, 1 to 2 machines",
        "Took back launch template a-group",
    ]


def test_missing_permission_is_named(stubbed: Stubbed) -> None:
    aws = prepared(stubbed)
    words = "User: arn:aws:iam::1:user/u is not authorized to perform: ec2:CreateLaunchTemplate"
    aws.refuse("ec2", "create_launch_template", "UnauthorizedOperation", words, 403)
    with pytest.raises(Refusal, match="ec2:CreateLaunchTemplate"), explained():
        deploy(aws.clients, Deployment(name=NAME, groups=("sg-1",)), Told())


def test_launch_configurations_go_by_their_names_and_no_others(stubbed: Stubbed) -> None:
    aws, told = stubbed("autoscaling", "cloudwatch", "ec2"), Told()
    ours = f"{NAME}-0123abcd"
    configurations = [
        {"LaunchConfigurationName": name, "ImageId": "ami-1", "InstanceType": "t3.micro",
         "CreatedTime": AT}
        for name in (NAME, ours, f"{NAME}-b-0123abcd", f"{NAME}-latest")
    ]  # fmt: skip
    aws.answer("cloudwatch", "describe_alarms", MetricAlarms=[])
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[])
    aws.answer("ec2", "describe_launch_templates", LaunchTemplates=[])
    aws.answer("autoscaling", "describe_launch_configurations",
               LaunchConfigurations=configurations)  # fmt: skip
    aws.answer("autoscaling", "delete_launch_configuration")
    aws.answer("ec2", "describe_security_groups", SecurityGroups=[])
    destroy(aws.clients, NAME, told)
    aws.assert_all_asked()
    assert aws.asked("DeleteLaunchConfiguration") == [{"LaunchConfigurationName": ours}]


def test_estimate_counts_machines_and_their_hours() -> None:
    estimate = estimate_of(Deployment(min_size=2, desired=3, max_size=5))
    assert (estimate.fewest, estimate.at_first, estimate.most) == (2, 3, 5)
    assert estimate.hours == (1460, 3650)
