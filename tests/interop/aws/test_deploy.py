"""`thingtank cloud deploy`, `status`, `scale`, `destroy`, by direct calls, against both stand-ins."""

import json

import pytest
from botocore.exceptions import ClientError
from tests.aws_commands import Cloud
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings


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

    again = cloud("deploy", "--name", name)
    assert again.exit_code == 1
    assert f"thingtank cloud destroy {name}" in again.stderr
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
    assert group["LaunchConfigurationName"] == name
    (policy,) = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    assert policy["TargetTrackingConfiguration"]["TargetValue"] == 60
    assert cloud("destroy", name, "--yes").exit_code == 0
    left = autoscaling.describe_launch_configurations(LaunchConfigurationNames=[name])
    assert left["LaunchConfigurations"] == []


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


@pytest.mark.parametrize(("words", "code", "said"), MISTAKES)
def test_mistake_is_said_with_what_to_do(
    cloud: Cloud, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = cloud(*words)
    assert ran.exit_code == code, ran.output
    assert said in ran.stderr
