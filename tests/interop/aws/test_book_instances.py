"""The twins of boxes 8.23 to 8.25, as programs of their own, on both stand-ins."""

import re
import subprocess
import sys
from pathlib import Path

from tests.aws_stand_ins import aws_environment, own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings

EXAMPLES = Path(__file__).parents[3] / "examples"


def ran(settings: AwsSettings, name: str, *words: str) -> str:
    """What a program has printed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *words, "--pause", "0.1"],
        env=aws_environment(settings), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_boxes_8_23_and_8_24_launch_an_instance_and_stop_it(stand_in: AwsSettings) -> None:
    name = own_name("my-instance")
    launched = ran(stand_in, "box_8_23_launch_instance", "--name", name)
    assert "Instance Size: t3.micro" in launched
    assert "Instance State: running" in launched
    assert re.search(r"Instance Launch Time: \d{4}-", launched)
    assert re.search(r"Instance Private IP: \d+\.", launched)
    (own_id,) = set(re.findall(r"\bi-[0-9a-f]{8,}", launched))

    stopped = ran(stand_in, "box_8_24_stop_instance", own_id)
    assert f"{own_id} t3.micro {name}" in stopped
    assert f"Stopped instance with ID: {own_id}" in stopped
    AwsClients(stand_in).client("ec2").terminate_instances(InstanceIds=[own_id])


def test_box_8_25_makes_a_group_with_policies_and_alarms_and_ends_it(stand_in: AwsSettings) -> None:
    name = own_name("My-Group")
    assert ran(stand_in, "box_8_25_autoscaling", "--group", name).endswith("Done!\n")
    clients = AwsClients(stand_in)
    autoscaling, cloudwatch = clients.client("autoscaling"), clients.client("cloudwatch")
    found = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    changes = {each["PolicyARN"]: (each["ScalingAdjustment"], each["Cooldown"]) for each in found}
    assert sorted(changes.values()) == [(-1, 180), (1, 180)]
    for alarm in cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]:
        is_up = alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["Threshold"] == (70 if is_up else 50)
        assert changes.pop(alarm["AlarmActions"][0])[0] == (1 if is_up else -1)
    assert changes == {}, "each policy has its alarm"

    assert ran(stand_in, "box_8_25_autoscaling", "--group", name, "--delete").endswith("Deleted\n")
    assert cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"] == []
    groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    assert groups["AutoScalingGroups"] == []
