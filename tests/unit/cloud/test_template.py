"""The CloudFormation template of a deployment."""

import json
from typing import Any

import cfnlint.api
import pytest
from cfnlint.config import ManualArgs
from click.testing import CliRunner

from thingtank.cli.main import main
from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.description import Deployment
from thingtank.cloud.deployment.template import (
    PUBLIC_NAME,
    SETTINGS,
    parameter_values,
    template,
    text_of,
    with_parameters,
)
from thingtank.cloud.deployment.template_services import standing_costs
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.images import Image, template_parameter
from thingtank.cloud.instances.user_data import user_data
from thingtank.sinks.engines.keys import KeySettings

IMAGE = Image("", "", "/dev/xvda", 0)


def made(**more: Any) -> dict[str, Any]:
    wanted = Deployment(user_data=user_data(settings=SETTINGS), **more)
    return template(wanted, IMAGE, template_parameter(wanted.image, wanted.instance_type))


def test_the_table_deletes_items_by_what_sinks_write() -> None:
    table = made()["Resources"]["Table"]["Properties"]
    assert table["TimeToLiveSpecification"]["AttributeName"] == KeySettings().expires


def lint(text: str) -> list[str]:
    return [
        str(each) for each in cfnlint.api.lint(text, config=ManualArgs(regions=["eu-central-1"]))
    ]


def test_cfn_lint_finds_nothing() -> None:
    assert lint(text_of(made(cidrs=("192.0.2.0/24", "198.51.100.0/24"), desired=2))) == []


def test_command_prints_it_without_an_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    words = ["cloud", "deploy", "--template", "--type", "t4g.small", "--image", "debian",
             "--data", str(tmp_path)]  # fmt: skip
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    image = json.loads(ran.stdout)["Parameters"]["ImageId"]
    assert image["Default"] == "/aws/service/debian/release/13/latest/arm64"


def test_group_policies_and_alarms_are_those_of_the_direct_calls() -> None:
    wanted = Deployment(min_size=2, desired=2, max_size=5)
    resources = made(min_size=2, desired=2, max_size=5)["Resources"]
    direct = parts.launch_template_data(wanted, IMAGE, ())
    own = resources["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    for name in ("MetadataOptions", "Monitoring", "BlockDeviceMappings", "TagSpecifications"):
        assert own[name] == direct[name]
    group, direct = resources["Group"]["Properties"], parts.group(wanted, ())
    for name in ("AutoScalingGroupName", "HealthCheckGracePeriod", "DefaultInstanceWarmup", "Tags"):
        assert group[name] == direct[name]
    parameters = made(min_size=2, desired=2, max_size=5)["Parameters"]
    assert (parameters["MinSize"]["Default"], parameters["MaxSize"]["Default"]) == (2, 5)
    for name, change, threshold in (("ScaleUp", 1, 70), ("ScaleDown", -1, 50)):
        policy = resources[name]["Properties"]
        assert (policy["ScalingAdjustment"], policy["Cooldown"]) == (change, "180")
        alarm = resources[f"{name}Alarm"]["Properties"]
        assert (alarm["Threshold"], alarm["AlarmActions"]) == (threshold, [{"Ref": name}])


def test_a_stream_is_only_made_where_it_is_asked_for_as_it_costs_unused() -> None:
    own = made()
    assert own["Parameters"]["Stream"]["Default"] == "none"
    assert own["Resources"]["DataStream"]["Condition"] == "HasStream"
    assert own["Outputs"]["StreamName"]["Condition"] == "HasStream"


def test_what_costs_besides_machines_is_named() -> None:
    always = ["2 load balancers", "their public addresses and those of the machines"]
    assert standing_costs({}) == always
    assert standing_costs({"Stream": "on-demand", "DatabaseEngine": "mysql"}) == [
        *always, "a Kinesis stream on demand", "an RDS database (mysql, db.t4g.micro, 20 GB)",
    ]  # fmt: skip


def test_what_must_outlive_a_stack_does() -> None:
    resources = made()["Resources"]
    assert resources["Bucket"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resources["Database"]["DeletionPolicy"] == "Snapshot"
    for name in ("Bucket", "Database"):
        assert "UpdateReplacePolicy" in resources[name]


def test_role_allows_no_action_on_everything() -> None:
    (policy,) = made()["Resources"]["Role"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        for each in statement.get("Fn::If", [None, statement])[1:2]:
            assert "*" not in json.dumps(each["Action"])
            assert each["Resource"] not in ("*", ["*"])


def test_name_that_browsers_use_is_filled_in_by_cloudformation() -> None:
    data = made()["Resources"]["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    pieces = data["UserData"]["Fn::Base64"]["Fn::Join"][1]
    assert PUBLIC_NAME not in json.dumps(pieces)
    assert [type(piece) for piece in pieces] == [str, dict, str]
    assert pieces[0].endswith('allowed_hosts = ["')


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"groups": ("sg-1",)}, "--security-group"),
        ({"subnets": ("subnet-1",)}, "--subnet"),
        ({"launch": "configuration"}, "--launch configuration"),
        ({"cidrs": ("2001:db8::/32",)}, "IPv6"),
    ],
)
def test_what_a_stack_has_of_its_own_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(NotDone, match=said):
        made(**more)


def test_template_is_short_enough_for_a_call_or_refused() -> None:
    wanted = Deployment(user_data="#" * 40_000)
    with pytest.raises(NotDone, match="shorten the settings"):
        template(wanted, IMAGE, "/aws/an/image")


def test_parameters_that_were_given_count_and_others_stay_as_the_stack_has_them() -> None:
    given = {"DatabaseEngine": "postgres"}
    own = with_parameters(made(), given)
    there = ["DatabaseEngine", "PublicName", "MinSize"]
    values = {each.pop("ParameterKey"): each for each in parameter_values(own, given, there)}
    assert values["DatabaseEngine"] == {"ParameterValue": "postgres"}
    assert values["PublicName"] == {"UsePreviousValue": True}
    assert values["Certificate"] == {"ParameterValue": ""}
    assert values["MinSize"] == {"ParameterValue": "1"}
    with pytest.raises(NotDone, match="there are ImageId"):
        with_parameters(own, {"Colour": "green"})
