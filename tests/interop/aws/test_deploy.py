"""`thingtank cloud deploy`, `status`, `scale`, `destroy`, by direct calls, against both stand-ins."""

import json

import pytest
from botocore.exceptions import ClientError
from tests.aws_commands import Cloud, run_cloud, said
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cloud.deployment import direct, parts


def test_group_as_in_the_chapter_from_deploy_to_destroy(
    cloud: Cloud, stand_in: AwsSettings
) -> None:
    name, key = own_name("group"), own_name("key")
    clients = AwsClients(stand_in)
    ec2, autoscaling = clients.client("ec2"), clients.client("autoscaling")
    cloudwatch = clients.client("cloudwatch")

    made = cloud("deploy", "--name", name, "--key", key, "--allow", "198.51.100.0/24")
    assert made.exit_code == 0, made.output
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (1, 1, 2)
    assert ("app", "thingtank", True) in [
        (tag["Key"], tag["Value"], tag["PropagateAtLaunch"]) for tag in group["Tags"]
    ]
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName=name)[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"] == "required"
    assert version["LaunchTemplateData"]["Monitoring"]["Enabled"]

    found = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    policies = {each["PolicyName"]: each for each in found}
    found = cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    alarms = {each["AlarmName"]: each for each in found}
    for word, change, comparison, threshold in (
        ("scale-up", 1, "GreaterThanThreshold", 70.0),
        ("scale-down", -1, "LessThanThreshold", 50.0),
    ):
        policy, alarm = policies[word], alarms[f"{name}-{word}"]
        assert (policy["ScalingAdjustment"], policy["Cooldown"]) == (change, 180)
        assert alarm["AlarmActions"] == [policy["PolicyARN"]]
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (
            "AWS/EC2",
            "CPUUtilization",
            "Average",
        )
        assert alarm["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": name}]
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 2)
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == (comparison, threshold)

    again = cloud("deploy", "--name", name, "--key", key, "--allow", "198.51.100.0/24")
    assert (again.exit_code, again.stdout) == (
        0, f"{name} is as described: there is nothing to change\n"
    )  # fmt: skip
    kept = cloud("deploy", "--name", name, "--key", key, "--allow", "198.51.100.0/24",
                 "--launch", "configuration")  # fmt: skip
    assert (kept.exit_code, kept.stdout) == (again.exit_code, again.stdout)
    assert f"{name} keeps its launch template" in kept.stderr
    assert "keeps its launch template" not in again.stderr
    try:
        autoscaling.execute_policy(AutoScalingGroupName=name, PolicyName="scale-up")
    except ClientError:  # MiniStack does not know it
        assert cloud("scale", name, "2").exit_code == 0
    shown = json.loads(cloud("status", name, "--json").stdout)
    assert (shown["desired"], shown["in_service"], len(shown["instances"])) == (2, 2, 2)
    assert [each["name"] for each in shown["alarms"]] == sorted(alarms)
    beyond = cloud("scale", name, "3")
    assert beyond.exit_code == 1
    assert "1 to 2 machines" in beyond.stderr
    assert cloud("scale", name, "1").exit_code == 0
    assert name in [each["name"] for each in json.loads(cloud("status", "--json").stdout)]

    assert cloud("destroy", name, input="n\n").exit_code == 1
    ended = cloud("destroy", name, input="y\n")
    assert ended.exit_code == 0, ended.output
    assert (
        autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        == []
    )
    assert cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"] == []
    assert f"There is nothing of {name}" in cloud("destroy", name).stdout
    ec2.delete_key_pair(KeyName=key)


def test_launch_configuration_and_target_tracking(cloud: Cloud, stand_in: AwsSettings) -> None:
    name = own_name("group")
    made = cloud("deploy", "--name", name, "--launch", "configuration", "--policies", "target",
                 "--min", "0", "--desired", "0")  # fmt: skip
    assert made.exit_code == 0, made.output
    autoscaling = AwsClients(stand_in).client("autoscaling")
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    assert parts.is_configuration_of(name, group["LaunchConfigurationName"])
    (policy,) = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    assert policy["TargetTrackingConfiguration"]["TargetValue"] == 60
    assert cloud("destroy", name, "--yes").exit_code == 0
    left = autoscaling.describe_launch_configurations()["LaunchConfigurations"]
    assert not [each for each in left if each["LaunchConfigurationName"].startswith(name)]


def test_group_that_is_described_otherwise_is_changed_after_a_question(
    cloud: Cloud, stand_in: AwsSettings
) -> None:
    name = own_name("group")
    clients = AwsClients(stand_in)
    ec2, autoscaling = clients.client("ec2"), clients.client("autoscaling")
    assert cloud("deploy", "--name", name, "--min", "0", "--allow", "192.0.2.0/24").exit_code == 0
    other = ("deploy", "--name", name, "--min", "0", "--max", "4", "--type", "t3.small",
             "--policies", "target", "--allow", "198.51.100.0/24", "--port", "8000")  # fmt: skip

    shown = cloud(*other, "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert ["type", "t3.micro", "t3.small"] in [line.split() for line in shown.stdout.splitlines()]
    assert cloud(*other, input="n\n").exit_code == 1
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName=name)[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"]["InstanceType"] == "t3.micro"

    done = cloud(*other, input="y\n")
    assert done.exit_code == 0, done.output
    versions = ec2.describe_launch_template_versions(LaunchTemplateName=name)
    types = [each["LaunchTemplateData"]["InstanceType"]
             for each in versions["LaunchTemplateVersions"]]  # fmt: skip
    assert sorted(types) == ["t3.micro", "t3.small"]
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (0, 4, 0)
    (policy,) = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    assert policy["PolicyName"] == "cpu-target"
    alarms = clients.client("cloudwatch").describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    assert [each["AlarmName"] for each in alarms if "scale-" in each["AlarmName"]] == []
    (security_group,) = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [f"thingtank-{name}"]}]
    )["SecurityGroups"]
    doors = [(each["FromPort"], network["CidrIp"]) for each in security_group["IpPermissions"]
             for network in each["IpRanges"]]  # fmt: skip
    assert doors == [(8000, "198.51.100.0/24")]
    assert cloud("destroy", name, "--yes").exit_code == 0


def test_machines_are_replaced_by_such_as_are_described(ministack: AwsSettings) -> None:
    """Moto has no instance refresh; MiniStack has one, which is done at once."""
    name = own_name("group")
    autoscaling = AwsClients(ministack).client("autoscaling")
    said(ministack, "deploy", "--name", name)
    said(ministack, "deploy", "--name", name, "--type", "t3.small", "--warm-up", "90s", "--yes")
    (refresh,) = autoscaling.describe_instance_refreshes(AutoScalingGroupName=name)[
        "InstanceRefreshes"
    ]
    assert refresh["Status"] == "Successful"
    shown = json.loads(said(ministack, "status", name, "--json"))
    assert [each["percent"] for each in shown["instance_refreshes"]] == [100]
    said(ministack, "destroy", name, "--yes")


def test_a_stand_in_without_instance_refresh_is_named(moto: AwsSettings) -> None:
    name = own_name("group")
    said(moto, "deploy", "--name", name)
    done = run_cloud(moto, "deploy", "--name", name, "--type", "t3.small", "--yes")
    assert done.exit_code == 1
    assert "has no instance refresh, which AWS has" in done.stderr, done.stderr
    said(moto, "destroy", name, "--yes")


def test_deploy_goes_on_after_a_try_that_was_stopped(
    cloud: Cloud, stand_in: AwsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own_name("group")
    with monkeypatch.context() as patch:
        patch.setattr(direct, "_make_group", interrupted)
        assert cloud("deploy", "--name", name, "--min", "0").exit_code == 1
    with monkeypatch.context() as patch:
        patch.setattr(direct, "make_policies", interrupted)
        stopped = cloud("deploy", "--name", name, "--min", "0", "--type", "t3.small")
    assert stopped.exit_code == 1
    assert "Made version 2 of the launch template" in stopped.stderr
    done = cloud("deploy", "--name", name, "--min", "0", "--type", "t3.small", "--yes")
    assert done.exit_code == 0, done.output
    assert "Set policy scale-up" in done.stderr
    assert cloud("destroy", name, "--yes").exit_code == 0


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_group_of_somebody_else_is_not_touched(cloud: Cloud, stand_in: AwsSettings) -> None:
    name = own_name("group")
    assert cloud("deploy", "--name", name, "--min", "0").exit_code == 0
    autoscaling = AwsClients(stand_in).client("autoscaling")
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "app"}
    autoscaling.create_or_update_tags(Tags=[{**tag, "Value": "other", "PropagateAtLaunch": True}])
    refused = cloud("deploy", "--name", name, "--min", "0", "--max", "9", "--yes")
    assert (refused.exit_code, "no tag app=thingtank" in refused.stderr) == (1, True)
    autoscaling.create_or_update_tags(
        Tags=[{**tag, "Value": "thingtank", "PropagateAtLaunch": True}]
    )
    assert cloud("destroy", name, "--yes").exit_code == 0


def test_dry_run_prints_an_estimate_and_makes_nothing(cloud: Cloud, stand_in: AwsSettings) -> None:
    name = own_name("dry")
    ran = cloud("deploy", "--name", name, "--max", "3", "--dry-run")
    assert ran.exit_code == 0, ran.output
    assert "1 at first, 1 to 3" in ran.stdout
    assert "730 to 2,190" in ran.stdout
    assert "above 70 % for 2 x 60 s" in ran.stdout
    assert f"There is nothing of {name}" in cloud("destroy", name).stdout


MISTAKES = [
    (("deploy", "--min", "3"), 2, "0 <= min <= desired <= max"),
    (("deploy", "--name", "a b"), 2, "no name for a deployment"),
    (
        ("deploy", "--type", "t3.micro", "--image", "ami-00000000000000000"),
        1,
        "ami-00000000000000000",
    ),
    (("status", "no-such-group"), 1, "thingtank cloud status"),
    (("scale", "no-such-group", "1"), 1, "thingtank cloud status"),
]


@pytest.mark.parametrize(("words", "code", "words_of"), MISTAKES)
def test_mistake_is_said_with_what_to_do(
    cloud: Cloud, words: tuple[str, ...], code: int, words_of: str
) -> None:
    ran = cloud(*words)
    assert ran.exit_code == code, ran.output
    assert words_of in ran.stderr
