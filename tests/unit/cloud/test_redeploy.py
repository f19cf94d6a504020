"""A group that is deployed again, and its instance refreshes, by botocore's Stubber."""

from typing import Any

import msgspec
import pytest
from tests.stubbed_aws import StubbedAws, Told
from tests.unit.cloud.test_deployment import AT, NAME, Stubbed, group

from thingtank.cli.cloud.session import explained
from thingtank.cli.session import Refusal
from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.description import Deployment
from thingtank.cloud.deployment.redeploy import Redeployment, own_group_to_change
from thingtank.cloud.deployment.refreshes import Pace, roll_back, wait_for_refresh
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.images import Image

APP = {"Key": "app", "Value": "thingtank", "ResourceId": NAME, "ResourceType": "auto-scaling-group"}
IMAGE = Image("ami-1", "", "/dev/xvda", 0)
DEPLOYMENT = Deployment(name=NAME, groups=("sg-1",), policies="target", user_data="#!/bin/sh\n")
TEMPLATE = {"LaunchTemplateId": "lt-1", "LaunchTemplateName": NAME}
PACE = Pace(min_healthy_percent=90, warm_up_s=60)


def own_group(*machines: str, **more: Any) -> dict[str, Any]:
    """A group of ours as it was deployed, of version 1."""
    found = group(1, *machines) | {
        "MinSize": 1, "VPCZoneIdentifier": "subnet-1", "Tags": [APP],
        "LaunchTemplate": {**TEMPLATE, "Version": "1"},
    } | more  # fmt: skip
    for each in found["Instances"]:
        each["LaunchTemplate"] = {**TEMPLATE, "Version": "1"}
    return found


def version(number: int, deployment: Deployment) -> dict[str, Any]:
    data = parts.launch_template_data(deployment, IMAGE, ["sg-1"])
    more = {"MetadataOptions": {**data["MetadataOptions"], "State": "applied"}}  # AWS adds some
    return {"VersionNumber": number, "LaunchTemplateData": data | more}


def looked_at(
    stubbed: Stubbed,
    wanted: Deployment,
    found: dict[str, Any],
    *versions: dict[str, Any],
    security_group: dict[str, Any] | None = None,
) -> tuple[StubbedAws, Redeployment]:
    """What is to change of a group."""
    aws = stubbed("ec2", "ssm", "autoscaling", "cloudwatch")
    aws.answer("ec2", "describe_instance_types", InstanceTypes=[
        {"ProcessorInfo": {"SupportedArchitectures": ["x86_64"]}}
    ])  # fmt: skip
    aws.answer("ssm", "get_parameter", Parameter={"Value": "ami-1"})
    aws.answer("ec2", "describe_images", Images=[{"ImageId": "ami-1"}])
    aws.answer("ec2", "describe_subnets", Subnets=[
        {"SubnetId": "subnet-1", "AvailabilityZone": "us-east-1a", "VpcId": "vpc-1"}
    ])  # fmt: skip
    offered = [{"Location": "us-east-1a"}]
    aws.answer("ec2", "describe_instance_type_offerings", InstanceTypeOfferings=offered)
    if security_group:
        aws.answer("ec2", "describe_security_groups", SecurityGroups=[security_group])
    if versions:
        aws.answer("ec2", "describe_launch_template_versions", LaunchTemplateVersions=versions)
    policy = {**parts.target_policy(DEPLOYMENT), "PolicyARN": "arn:policy", "Alarms": []}
    aws.answer("autoscaling", "describe_policies", ScalingPolicies=[policy])
    aws.answer("cloudwatch", "describe_alarms", MetricAlarms=[])
    return aws, Redeployment(aws.clients, wanted, found)


def refresh(status: str, percent: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "InstanceRefreshId": "refresh-1", "AutoScalingGroupName": NAME, "Status": status,
        "PercentageComplete": percent, "InstancesToUpdate": 2, "StartTime": AT, **more,
    }  # fmt: skip


def answer_refresh(aws: StubbedAws, *found: dict[str, Any]) -> None:
    for each in found:
        aws.answer("autoscaling", "describe_instance_refreshes", InstanceRefreshes=[each])


def changed(**fields: Any) -> Deployment:
    """The deployment with other fields."""
    return msgspec.structs.replace(DEPLOYMENT, **fields)


def test_what_is_as_described_has_nothing_to_change(stubbed: Stubbed) -> None:
    found = own_group("InService")
    aws, redeployment = looked_at(stubbed, DEPLOYMENT, found, version(1, DEPLOYMENT))
    assert (redeployment.differences, redeployment.replaced_count) == ([], 0)
    (asked,) = aws.asked("DescribeLaunchTemplateVersions")
    assert asked == {"LaunchTemplateId": "lt-1", "Versions": ["$Latest", "1"]}


def test_other_type_is_a_new_version_that_a_refresh_brings(stubbed: Stubbed) -> None:
    found = own_group("InService", "InService", DesiredCapacity=2)
    wanted = changed(instance_type="t3.small", max_size=3)
    aws, redeployment = looked_at(stubbed, wanted, found, version(1, DEPLOYMENT))
    assert list(map(tuple, redeployment.differences)) == [
        ("type", "t3.micro", "t3.small"), ("most machines", "2", "3"),
    ]  # fmt: skip
    assert redeployment.replaced_count == 2

    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    aws.answer("ec2", "create_launch_template_version",
               LaunchTemplateVersion={"VersionNumber": 2})  # fmt: skip
    aws.answer("autoscaling", "start_instance_refresh", InstanceRefreshId="refresh-1")
    aws.answer("autoscaling", "update_auto_scaling_group")
    answer_refresh(aws, refresh("Pending"), refresh("InProgress", 50), refresh("Successful", 100))
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[found])
    told = Told()
    redeployment.run(told, PACE)
    (made,) = aws.asked("CreateLaunchTemplateVersion")
    assert made["LaunchTemplateData"]["InstanceType"] == "t3.small"
    assert aws.asked("StartInstanceRefresh") == [{
        "AutoScalingGroupName": NAME, "Strategy": "Rolling",
        "Preferences": {"MinHealthyPercentage": 90, "InstanceWarmup": 60, "SkipMatching": True,
                        "AutoRollback": True},
        "DesiredConfiguration": {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"}},
    }]  # fmt: skip
    # Not what its machines start from: the refresh sets that when all are replaced.
    assert aws.asked("UpdateAutoScalingGroup") == [{"AutoScalingGroupName": NAME, "MaxSize": 3}]
    assert "a-group: replacing machines, 50 %, machines to go: 2" in told.waited
    aws.assert_all_asked()


def test_without_waiting_the_refresh_is_only_begun(stubbed: Stubbed) -> None:
    wanted = changed(user_data="#!/bin/sh\n# newer\n")
    aws, redeployment = looked_at(
        stubbed, wanted, own_group("InService"), version(1, DEPLOYMENT), version(2, wanted)
    )
    (difference,) = redeployment.differences
    assert difference.part == "package and settings"
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    aws.answer("autoscaling", "start_instance_refresh", InstanceRefreshId="refresh-1")
    redeployment.run(Told(), Pace(), is_waited_for=False)
    (asked,) = aws.asked("StartInstanceRefresh")
    # Version 2 is of an earlier try that went back; a new machine comes before an old one ends.
    assert asked["DesiredConfiguration"]["LaunchTemplate"]["Version"] == "2"
    assert asked["Preferences"]["MinHealthyPercentage"] == 100
    assert asked["Preferences"]["MaxHealthyPercentage"] == 110
    aws.assert_all_asked()


def test_group_that_names_no_number_is_given_one_first(stubbed: Stubbed) -> None:
    found = own_group("InService", LaunchTemplate={**TEMPLATE, "Version": "$Latest"})
    wanted = changed(instance_type="t3.small")
    aws, redeployment = looked_at(stubbed, wanted, found, version(1, DEPLOYMENT))
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    aws.answer("ec2", "create_launch_template_version",
               LaunchTemplateVersion={"VersionNumber": 2})  # fmt: skip
    aws.answer("autoscaling", "update_auto_scaling_group")
    aws.answer("autoscaling", "start_instance_refresh", InstanceRefreshId="refresh-1")
    redeployment.run(Told(), PACE, is_waited_for=False)
    (pinned,) = aws.asked("UpdateAutoScalingGroup")
    assert pinned["LaunchTemplate"] == {"LaunchTemplateId": "lt-1", "Version": "1"}
    names = [name for name, _ in aws.sent]
    # Else machines that come meanwhile would be of the new version, and AWS could not go back.
    assert names.index("UpdateAutoScalingGroup") < names.index("CreateLaunchTemplateVersion")
    aws.assert_all_asked()


def test_group_that_names_the_default_version_is_compared_with_that_and_given_its_number(
    stubbed: Stubbed,
) -> None:
    found = own_group("InService", LaunchTemplate={**TEMPLATE, "Version": "$Default"})
    wanted = changed(instance_type="t3.small")
    versions = [
        version(3, wanted) | {"DefaultVersion": False},
        version(1, DEPLOYMENT) | {"DefaultVersion": True},
    ]
    aws, redeployment = looked_at(stubbed, wanted, found, *versions)
    (asked,) = aws.asked("DescribeLaunchTemplateVersions")
    assert asked["Versions"] == ["$Default", "$Latest"]
    assert list(map(tuple, redeployment.differences)) == [("type", "t3.micro", "t3.small")]
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    aws.answer("autoscaling", "update_auto_scaling_group")
    aws.answer("autoscaling", "start_instance_refresh", InstanceRefreshId="refresh-1")
    redeployment.run(Told(), PACE, is_waited_for=False)
    (pinned,) = aws.asked("UpdateAutoScalingGroup")
    assert pinned["LaunchTemplate"]["Version"] == "1"
    aws.assert_all_asked()


def test_refused_refresh_leaves_no_version(stubbed: Stubbed) -> None:
    wanted = changed(instance_type="t3.small", max_size=5)
    found = own_group("InService")
    aws, redeployment = looked_at(stubbed, wanted, found, version(1, DEPLOYMENT))
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    aws.answer("ec2", "create_launch_template_version",
               LaunchTemplateVersion={"VersionNumber": 2})  # fmt: skip
    words = "User: u is not authorized to perform: autoscaling:StartInstanceRefresh"
    aws.refuse("autoscaling", "start_instance_refresh", "AccessDenied", words, 403)
    aws.answer("ec2", "delete_launch_template_versions")
    with pytest.raises(Refusal, match="autoscaling:StartInstanceRefresh"), explained():
        redeployment.run(Told(), PACE)
    (deleted,) = aws.asked("DeleteLaunchTemplateVersions")
    assert deleted["Versions"] == ["2"]
    assert aws.asked("UpdateAutoScalingGroup") == []
    aws.assert_all_asked()


def test_launch_configuration_is_followed_by_a_new_one(stubbed: Stubbed) -> None:
    old = parts.launch_configuration(DEPLOYMENT, IMAGE, ["sg-1"])["LaunchConfigurationName"]
    wanted = changed(instance_type="t3.small", launch="configuration")
    new = parts.launch_configuration(wanted, IMAGE, ["sg-1"])["LaunchConfigurationName"]
    found = own_group("InService", LaunchConfigurationName=old)
    del found["LaunchTemplate"]
    aws, redeployment = looked_at(stubbed, wanted, found)
    assert list(map(tuple, redeployment.differences)) == [("launch configuration", old, new)]
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    aws.answer("autoscaling", "create_launch_configuration")
    aws.answer("autoscaling", "update_auto_scaling_group")
    aws.answer("autoscaling", "start_instance_refresh", InstanceRefreshId="refresh-1")
    now = {**found, "LaunchConfigurationName": new}
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[now])
    aws.answer("autoscaling", "delete_launch_configuration")
    redeployment.run(Told(), PACE, is_waited_for=False)
    (asked,) = aws.asked("StartInstanceRefresh")
    assert "DesiredConfiguration" not in asked
    assert "AutoRollback" not in asked["Preferences"]
    assert aws.asked("DeleteLaunchConfiguration") == [{"LaunchConfigurationName": old}]
    aws.assert_all_asked()


def test_machine_of_another_version_is_replaced_though_nothing_is_new(stubbed: Stubbed) -> None:
    found = own_group("InService")
    found["Instances"][0]["LaunchTemplate"]["Version"] = "2"  # of a refresh that was cancelled
    _, redeployment = looked_at(stubbed, DEPLOYMENT, found, version(1, DEPLOYMENT))
    (difference,) = redeployment.differences
    assert (difference.part, difference.is_now) == ("machines that started from others", "1")


ENDS = [
    (refresh("Failed", 50, StatusReason="t3.small is not offered."), "t3.small is not offered"),
    (
        refresh("RollbackSuccessful", 100, RollbackDetails={"RollbackReason": "Too few healthy."}),
        "as they were before: AWS has gone back. AWS says: Too few healthy",
    ),
    (refresh("Cancelled", 50), "some machines are new, some are not"),
    (refresh("RollbackFailed", 50), "could not go back"),
]


@pytest.mark.parametrize(("last", "words"), ENDS)
def test_refresh_that_ends_otherwise_says_how_machines_are(
    stubbed: Stubbed, last: dict[str, Any], words: str
) -> None:
    aws, told = stubbed("autoscaling"), Told()
    answer_refresh(aws, refresh("RollbackInProgress", 10), last)
    with pytest.raises(NotDone, match=words) as refused:
        wait_for_refresh(aws.clients, NAME, "refresh-1", told)
    assert f"thingtank cloud status {NAME}" in str(refused.value)
    assert told.waited == ["a-group: going back, 10 %, machines to go: 2"]


@pytest.mark.parametrize("is_ours", [True, False])
def test_doors_are_shut_in_a_security_group_of_ours_only(stubbed: Stubbed, is_ours: bool) -> None:
    network = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
               "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}  # fmt: skip
    there = {"GroupId": "sg-1", "GroupName": f"thingtank-{NAME}", "IpPermissions": [network],
             "Tags": [{"Key": "app", "Value": "thingtank"}] if is_ours else []}  # fmt: skip
    aws, redeployment = looked_at(
        stubbed, changed(groups=()), own_group(), version(1, DEPLOYMENT), security_group=there
    )
    aws.answer("ec2", "revoke_security_group_ingress", Return=True)
    aws.answer("autoscaling", "describe_scaling_activities", Activities=[])
    redeployment.run(Told(), PACE, is_waited_for=False)
    revoked = [each["IpPermissions"] for each in aws.asked("RevokeSecurityGroupIngress")]
    assert revoked == ([[network]] if is_ours else [])


def test_group_whose_machines_are_being_replaced_is_left_alone(stubbed: Stubbed) -> None:
    aws = stubbed("autoscaling")
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[own_group()])
    answer_refresh(aws, refresh("InProgress", 30))
    with pytest.raises(NotDone, match=f"thingtank cloud rollback {NAME}"):
        own_group_to_change(aws.clients, NAME)


def test_group_of_a_stack_is_changed_by_the_stack(stubbed: Stubbed) -> None:
    aws = stubbed("autoscaling")
    tag = {**APP, "Key": "aws:cloudformation:stack-name", "Value": "a-stack"}
    found = own_group(Tags=[APP, tag])
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[found])
    with pytest.raises(NotDone, match=r"the stack 'a-stack'.*give --stack"):
        own_group_to_change(aws.clients, NAME)


def test_way_back_is_waited_for(stubbed: Stubbed) -> None:
    aws = stubbed("autoscaling")
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[own_group()])
    aws.answer("autoscaling", "rollback_instance_refresh", InstanceRefreshId="refresh-1")
    answer_refresh(aws, refresh("RollbackInProgress", 50), refresh("RollbackSuccessful", 100))
    roll_back(aws.clients, NAME, Told(), is_waited_for=True)
    aws.assert_all_asked()


NO_WAYS_BACK = [
    ("ActiveInstanceRefreshNotFound", "no machines of a-group are being replaced"),
    ("IrreversibleInstanceRefresh", "aws autoscaling cancel-instance-refresh"),
]


@pytest.mark.parametrize(("code", "words"), NO_WAYS_BACK)
def test_where_there_is_no_way_back_it_is_said(stubbed: Stubbed, code: str, words: str) -> None:
    aws = stubbed("autoscaling")
    aws.answer("autoscaling", "describe_auto_scaling_groups", AutoScalingGroups=[own_group()])
    aws.refuse("autoscaling", "rollback_instance_refresh", code)
    with pytest.raises(NotDone, match=words):
        roll_back(aws.clients, NAME, Told(), is_waited_for=True)
