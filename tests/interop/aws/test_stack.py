"""`thingtank cloud deploy --stack`: what CloudFormation makes, seen in the services themselves."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from tests.aws_stand_ins import aws_environment, own_name
from tests.stubbed_aws import Told

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cli.main import main
from thingtank.cloud.deployment.stacks import ChangeSet, find_stack


def test_stack_from_deploy_to_destroy(ministack: AwsSettings, tmp_path: Path) -> None:
    name = own_name("stack")
    clients = AwsClients(ministack)
    autoscaling = clients.client("autoscaling")

    def cloud(*words: str, **more: Any) -> Result:
        runner = CliRunner(env=dict(aws_environment(ministack)))
        return runner.invoke(main, ["cloud", *words, "--data", str(tmp_path)], **more)

    def deploy(*words: str) -> Result:
        ran = cloud("deploy", "--stack", "--name", name, "--allow", "198.51.100.0/24", *words)
        assert ran.exit_code == 0, ran.output
        return ran

    shown = deploy("--dry-run").stdout
    assert "AWS::AutoScaling::AutoScalingGroup" in shown
    assert "machines: 1 at first, 1 to 2" in shown
    assert "costs as well, however many machines there are: 2 load balancers" in shown
    assert find_stack(clients, name) is None

    made = deploy("--parameter", "PublicName=tank.example")
    outputs = dict(line.split(maxsplit=1) for line in made.stdout.splitlines()[-7:])
    assert outputs["stack"] == outputs["GroupName"] == name
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    assert (group["MinSize"], group["MaxSize"]) == (1, 2)
    policies = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    assert sorted(each["ScalingAdjustment"] for each in policies) == [-1, 1]
    alarms = clients.client("cloudwatch").describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    assert {alarm["AlarmActions"][0] for alarm in alarms} == {
        each["PolicyARN"] for each in policies
    }
    s3, sqs = clients.client("s3"), clients.client("sqs")
    blocked = s3.get_public_access_block(Bucket=outputs["BucketName"])
    assert all(blocked["PublicAccessBlockConfiguration"].values())
    url = sqs.get_queue_url(QueueName=outputs["QueueName"])["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(json.loads(queue["RedrivePolicy"])["maxReceiveCount"]) == 5
    table = clients.client("dynamodb").describe_table(TableName=outputs["TableName"])["Table"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["msgid", "date"]

    assert "There is nothing to change" in deploy("--yes").stdout
    deploy("--yes", "--max", "4", "--policies", "target")
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    assert group["MaxSize"] == 4
    parameters = (find_stack(clients, name) or {})["Parameters"]
    assert {"ParameterKey": "PublicName", "ParameterValue": "tank.example"} in parameters
    (policy,) = autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    assert policy["PolicyType"] == "TargetTrackingScaling"

    ended = cloud("destroy", name, input="y\n")
    assert ended.exit_code == 0, ended.output
    assert f"Left: bucket {outputs['BucketName']}" in ended.stderr
    assert (
        autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        == []
    )
    assert find_stack(clients, name) is None
    s3.delete_bucket(Bucket=outputs["BucketName"])


def test_machines_of_a_stack_are_there_and_answer_only_to_imdsv2(
    moto: AwsSettings, tmp_path: Path
) -> None:
    """In moto, whose network load balancers take no TCP: without those."""
    name = own_name("stack")
    words = ["cloud", "deploy", "--template", "--name", name, "--data", str(tmp_path)]
    template = json.loads(CliRunner().invoke(main, words).stdout)
    del template["Resources"]["MqttListener"]
    template["Resources"]["Group"]["DependsOn"].remove("MqttListener")
    clients = AwsClients(moto)
    with ChangeSet(clients, name, template, Told()) as changes:
        changes.run()
    named = {"Name": "tag:Name", "Values": [name]}
    (found,) = clients.client("ec2").describe_instances(Filters=[named])["Reservations"]
    (machine,) = found["Instances"]
    version = clients.client("ec2").describe_launch_template_versions(LaunchTemplateName=name)
    data = version["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    subnets = {"Name": "tag:app", "Values": ["thingtank"]}
    own = clients.client("ec2").describe_subnets(Filters=[subnets])["Subnets"]
    assert machine["SubnetId"] in [each["SubnetId"] for each in own]
