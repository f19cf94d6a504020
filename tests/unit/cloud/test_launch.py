"""Launching a machine: what no stand-in does, by botocore's Stubber."""

import datetime
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from tests.stubbed_aws import StubbedAws, Told

from thingtank.cli.cloud.session import QuotaRefusal, explained
from thingtank.cli.session import Refusal
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.access import delete_group_if_unused
from thingtank.cloud.instances.launch import Launch, launch, zones_of
from thingtank.cloud.instances.machines import chosen, wait_for
from thingtank.cloud.instances.tokens import launch_token
from thingtank.cloud.waiting import WaitFailed

Stubbed = Callable[..., StubbedAws]

AT = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
WANTED = Launch(name="one", image="ami-1", groups=("sg-1",), token="a-token")


def subnet(number: int, vpc: str = "vpc-1") -> dict[str, str]:
    zone = f"us-east-1{'abcd'[number]}"
    return {"SubnetId": f"subnet-{number}", "AvailabilityZone": zone, "VpcId": vpc}


def instance(state: str = "pending", **more: Any) -> dict[str, Any]:
    return {"InstanceId": "i-1", "State": {"Name": state}, "LaunchTime": AT, **more}


def prepared(stubbed: Stubbed, zones: int = 2) -> StubbedAws:
    """AWS up to where the machine itself is asked for; a zone more than have the type."""
    aws = stubbed("ec2", "ssm")
    aws.answer("ec2", "describe_instances", Reservations=[])
    aws.answer("ec2", "describe_instance_types", InstanceTypes=[
        {"ProcessorInfo": {"SupportedArchitectures": ["i386", "x86_64"]}}
    ])  # fmt: skip
    aws.answer("ec2", "describe_images", Images=[{
        "ImageId": "ami-1", "Name": "an image", "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}],
    }])  # fmt: skip
    aws.answer("ec2", "describe_subnets", Subnets=[subnet(n) for n in reversed(range(zones + 1))])
    offered = [{"Location": subnet(n)["AvailabilityZone"]} for n in range(zones)]
    aws.answer("ec2", "describe_instance_type_offerings", InstanceTypeOfferings=offered)
    return aws


def test_request_has_imdsv2_an_encrypted_disk_and_tags(stubbed: Stubbed) -> None:
    aws = prepared(stubbed)
    aws.answer("ec2", "run_instances", Instances=[instance()])
    launch(aws.clients, WANTED, Told())
    (asked,) = aws.asked("RunInstances")
    assert asked["MetadataOptions"]["HttpTokens"] == "required"
    (disk,) = asked["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"]
    assert disk["Ebs"]["VolumeSize"] == 20, "no smaller than the image"
    for tagged in asked["TagSpecifications"]:
        assert {"Key": "Name", "Value": "one"} in tagged["Tags"]
        assert {"Key": "app", "Value": "thingtank"} in tagged["Tags"]
    aws.assert_all_asked()


def test_zone_without_room_is_followed_by_the_next_with_a_token_of_its_own(
    stubbed: Stubbed,
) -> None:
    aws, told = prepared(stubbed), Told()
    aws.refuse("ec2", "run_instances", "InsufficientInstanceCapacity", "no room")
    aws.answer("ec2", "run_instances", Instances=[instance()])
    launch(aws.clients, WANTED, told)
    first, second = aws.asked("RunInstances")
    assert (first["SubnetId"], second["SubnetId"]) == ("subnet-0", "subnet-1")
    assert first["ClientToken"] != second["ClientToken"]
    assert "Not in us-east-1a: no room" in told.lines


def test_room_in_no_zone_ends_with_exit_code_3_and_what_to_do(stubbed: Stubbed) -> None:
    aws, told = prepared(stubbed), Told()
    for _ in range(2):
        aws.refuse("ec2", "run_instances", "InsufficientInstanceCapacity", "no room")
    with pytest.raises(QuotaRefusal), explained():
        launch(aws.clients, WANTED, told)
    assert "take another --type" in told.lines[-1]


def test_same_request_has_the_same_token_and_another_has_another(stubbed: Stubbed) -> None:
    tokens = []
    for wanted in (WANTED, WANTED, Launch(name="one", image="ami-1", groups=("sg-1",), token="b")):
        aws = prepared(stubbed)
        aws.answer("ec2", "run_instances", Instances=[instance()])
        launch(aws.clients, wanted, Told())
        tokens += [asked["ClientToken"] for asked in aws.asked("RunInstances")]
    assert tokens[0] == tokens[1] != tokens[2]
    assert len(tokens[0]) <= 64


def test_quota_ends_with_exit_code_3_and_what_was_made_is_taken_back(
    stubbed: Stubbed, tmp_path: Path
) -> None:
    key_file = tmp_path / "key.pem"
    wanted = Launch(name="one", image="ami-1", key="k", key_file=key_file, token="t",
                    cidrs=("198.51.100.0/24", "2001:db8::/32"), ports=(22,))  # fmt: skip
    aws, told = prepared(stubbed, zones=1), Told()
    aws.refuse("ec2", "describe_key_pairs", "InvalidKeyPair.NotFound")
    aws.answer("ec2", "create_key_pair", KeyMaterial="private")
    aws.answer("ec2", "describe_security_groups", SecurityGroups=[])
    aws.answer("ec2", "create_security_group", GroupId="sg-2")
    aws.answer("ec2", "authorize_security_group_ingress")
    aws.answer("ec2", "authorize_security_group_ingress")
    aws.refuse("ec2", "run_instances", "VcpuLimitExceeded", "You have requested more vCPU capacity")
    aws.answer("ec2", "delete_security_group")
    aws.refuse("ec2", "delete_key_pair", "UnauthorizedOperation", "You are not authorized")
    with pytest.raises(QuotaRefusal, match="Service Quotas") as refused, explained():
        launch(aws.clients, wanted, told)
    assert refused.value.exit_code == 3
    aws.assert_all_asked()
    assert "Took back security group thingtank-one (sg-2)" in told.lines
    assert any(line.startswith("Left for you to delete, key pair k,") for line in told.lines)
    sent = [asked["IpPermissions"] for asked in aws.asked("AuthorizeSecurityGroupIngress")]
    assert [each[0].get("IpRanges") for each in sent] == [[{"CidrIp": "198.51.100.0/24"}], None]


def test_image_that_is_gone_is_said(stubbed: Stubbed) -> None:
    aws = prepared(stubbed)
    aws.refuse(
        "ec2", "run_instances", "InvalidAMIID.Unavailable", "The image is no longer available"
    )
    with pytest.raises(Refusal, match="no longer available") as refused, explained():
        launch(aws.clients, WANTED, Told())
    assert refused.value.exit_code == 1


def test_subnets_of_two_vpcs_are_refused(stubbed: Stubbed) -> None:
    aws = stubbed("ec2")
    aws.answer("ec2", "describe_subnets", Subnets=[subnet(0), subnet(1, "vpc-2")])
    with pytest.raises(NotDone, match="several VPCs"):
        zones_of(aws.clients, ["subnet-0", "subnet-1"], "t3.micro")


def token_of_a_launch(folder: Path, error: Exception | None) -> str:
    tokens = []
    with suppress(BotoCoreError, ClientError), launch_token(folder, "one/two") as token:
        tokens.append(token.value)
        if error is not None:
            raise error
    return tokens[0]


def test_token_is_kept_until_aws_has_answered(tmp_path: Path) -> None:
    timeout = ReadTimeoutError(endpoint_url="https://ec2")
    refused = ClientError({"Error": {"Code": "VcpuLimitExceeded"}}, "RunInstances")
    tokens = [token_of_a_launch(tmp_path, error) for error in (timeout, refused, None)]
    assert tokens[0] == tokens[1] != tokens[2]
    assert list(tmp_path.iterdir()) == []


def test_file_of_a_token_that_a_kill_left_empty_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "launch-one%2Ftwo.token").touch()
    assert len(token_of_a_launch(tmp_path, None)) == 36


def test_ctrl_c_after_the_answer_leaves_no_token(stubbed: Stubbed, tmp_path: Path) -> None:
    class Stopped(Told):
        def did(self, line: str) -> None:
            if line.startswith("Launched"):
                raise KeyboardInterrupt

    aws = prepared(stubbed)
    aws.answer("ec2", "run_instances", Instances=[instance()])
    with pytest.raises(KeyboardInterrupt), launch_token(tmp_path, "one") as token:
        launch(aws.clients, WANTED, Stopped(), token.forget)
    assert list(tmp_path.iterdir()) == []


def test_token_of_a_machine_that_has_ended_is_used_no_more(
    stubbed: Stubbed, tmp_path: Path
) -> None:
    aws = prepared(stubbed)
    aws.refuse("ec2", "run_instances", "IdempotentInstanceTerminated")
    with (
        pytest.raises(NotDone, match="give the same command again"),
        launch_token(tmp_path, "one") as token,
    ):
        launch(aws.clients, WANTED, Told(), token.forget)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [ReadTimeoutError(endpoint_url="https://ec2"), KeyboardInterrupt()]
)
def test_unknown_end_of_a_launch_takes_nothing_back(stubbed: Stubbed, error: BaseException) -> None:
    aws, told = prepared(stubbed, zones=1), Told()

    def fails(**_: Any) -> None:
        raise error

    events = aws.clients.client("ec2").meta.events
    events.register("provide-client-params.ec2.RunInstances", fails, "fails")
    try:
        with pytest.raises(type(error)):
            launch(aws.clients, WANTED, told)
    finally:
        events.unregister("provide-client-params.ec2.RunInstances", fails, "fails")
    assert told.lines[-1].endswith("give the same command again")


def test_key_pair_whose_private_half_was_lost_on_the_way_is_deleted(
    stubbed: Stubbed, tmp_path: Path
) -> None:
    wanted = Launch(name="one", image="ami-1", key="k", key_file=tmp_path / "key.pem", token="t")
    aws = prepared(stubbed, zones=1)
    aws.refuse("ec2", "describe_key_pairs", "InvalidKeyPair.NotFound")
    aws.refuse("ec2", "create_key_pair", "InternalError", status=500)
    aws.answer("ec2", "delete_key_pair")
    with pytest.raises(ClientError):
        launch(aws.clients, wanted, Told())
    aws.assert_all_asked()
    assert not wanted.key_file.exists()


def test_machine_that_ends_while_it_starts_says_why(stubbed: Stubbed) -> None:
    aws, told = stubbed("ec2"), Told()
    aws.refuse("ec2", "describe_instances", "InvalidInstanceID.NotFound")  # for some seconds
    aws.answer("ec2", "describe_instances", Reservations=[{"Instances": [instance()]}])
    ended = instance("terminated", StateReason={"Message": "Client.VolumeLimitExceeded"})
    for _ in range(2):
        aws.answer("ec2", "describe_instances", Reservations=[{"Instances": [ended]}])
    with pytest.raises(WaitFailed, match=r"Client\.VolumeLimitExceeded"):
        wait_for(aws.clients, "instance_running", "i-1", told)
    assert told.waited == ["i-1: pending", "i-1: terminated"]


def test_name_of_two_is_refused_with_their_ids(stubbed: Stubbed) -> None:
    aws = stubbed("ec2")
    tags = [{"Key": "Name", "Value": "one"}]
    both = [
        instance("running", Tags=tags),
        instance("stopped", Tags=tags) | {"InstanceId": "i-2"},
    ]
    aws.answer("ec2", "describe_instances", Reservations=[{"Instances": both}])
    with pytest.raises(NotDone, match=r"choose by id: i-1 \(running\), i-2 \(stopped\)"):
        chosen(aws.clients, "one")


@pytest.mark.parametrize(
    ("refusals", "said"), [(2, "Deleted security group"), (4, "stays: others use it")]
)
def test_security_group_is_deleted_once_its_machine_has_left_it(
    stubbed: Stubbed, refusals: int, said: str
) -> None:
    aws, told = stubbed("ec2"), Told()
    group = {
        "GroupId": "sg-1",
        "GroupName": "thingtank-one",
        "Tags": [{"Key": "app", "Value": "thingtank"}],
    }
    aws.answer("ec2", "describe_security_groups", SecurityGroups=[group])
    for _ in range(refusals):
        aws.refuse("ec2", "delete_security_group", "DependencyViolation")
    aws.answer("ec2", "delete_security_group")
    delete_group_if_unused(aws.clients, "thingtank-one", "vpc-1", told)
    assert said in told.lines[-1]


def test_security_group_of_others_is_not_touched(stubbed: Stubbed) -> None:
    aws = stubbed("ec2")
    aws.answer(
        "ec2",
        "describe_security_groups",
        SecurityGroups=[{"GroupId": "sg-1", "GroupName": "thingtank-one"}],
    )
    delete_group_if_unused(aws.clients, "thingtank-one", "vpc-1", Told())
    assert aws.asked("DeleteSecurityGroup") == []
