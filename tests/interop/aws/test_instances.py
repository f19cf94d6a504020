"""`thingtank cloud instance`, whole, against both stand-ins."""

import json
import stat
from pathlib import Path

import pytest
from tests.aws_commands import Cloud
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings


def test_machine_from_launch_to_end(cloud: Cloud, stand_in: AwsSettings, tmp_path: Path) -> None:
    name, key = own_name("machine"), own_name("key")
    ec2 = AwsClients(stand_in).client("ec2")

    ran = cloud("instance", "launch", "--name", name, "--key", key, "--allow", "198.51.100.0/24",
                "--port", "8000", "--tag", "of=tests", "--json")  # fmt: skip
    assert ran.exit_code == 0, ran.output
    facts = json.loads(ran.stdout)
    assert (facts["name"], facts["state"], facts["type"]) == (name, "running", "t3.micro")
    assert all(facts[each] for each in ("launch_time", "private_dns", "private_ip", "public_ip"))
    (key_file,) = (tmp_path / "cloud").glob("*.pem")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert "PRIVATE KEY" in key_file.read_text()
    assert not list((tmp_path / "cloud").glob("*.token"))

    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [f"thingtank-{name}"]}]
    )["SecurityGroups"]
    (rule,) = group["IpPermissions"]
    assert rule["FromPort"] == rule["ToPort"] == 8000
    assert [each["CidrIp"] for each in rule["IpRanges"]] == ["198.51.100.0/24"]
    disks = ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [facts["id"]]}]
    )["Volumes"]
    assert [disk["VolumeType"] for disk in disks] == ["gp3"]

    again = cloud("instance", "launch", "--name", name)
    assert again.exit_code == 1
    assert facts["id"] in again.stderr

    listed = json.loads(cloud("instance", "list", "--json").stdout)
    assert facts["id"] in [each["id"] for each in listed]
    for verb, state in (("stop", "stopped"), ("start", "running")):
        assert json.loads(cloud("instance", verb, name, "--json").stdout)["state"] == state

    assert cloud("instance", "terminate", name, input="n\n").exit_code == 1
    ended = cloud("instance", "terminate", name, input="y\n")
    assert ended.exit_code == 0, ended.output
    assert "Deleted security group" in ended.stderr
    after = cloud("instance", "stop", facts["id"])
    assert after.exit_code == 1
    assert "terminated" in after.stderr
    ec2.delete_key_pair(KeyName=key)


def test_dry_run_makes_nothing(cloud: Cloud, stand_in: AwsSettings, tmp_path: Path) -> None:
    name, key = own_name("dry"), own_name("key")
    ran = cloud("instance", "launch", "--name", name, "--key", key, "--dry-run")
    assert ran.exit_code == 0, ran.output
    assert "gp3, encrypted" in ran.stdout
    assert not (tmp_path / "cloud").exists()
    ec2 = AwsClients(stand_in).client("ec2")
    there = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])["Reservations"]
    states = [each["State"]["Name"] for found in there for each in found["Instances"]]
    assert set(states) <= {"shutting-down", "terminated"}  # MiniStack launches it all the same
    assert key not in [each["KeyName"] for each in ec2.describe_key_pairs()["KeyPairs"]]


MISTAKES = [
    (("launch", "--image", "debian"), 1, "Debian has no image"),
    (("launch", "--image", "windows"), 1, "is no image: amazon-linux, debian"),
    (("launch", "--image", "/aws/no/such"), 1, "no SSM parameter /aws/no/such"),
    (("launch", "--allow", "everybody"), 2, "198.51.100.7/32"),
    (("launch", "--allow", "192.0.2.0/24", "--security-group", "sg-1"), 2, "--security-group"),
    (("launch", "--tag", "Name=x"), 2, "KEY=VALUE"),
    (("stop", "nobody"), 1, "thingtank cloud instance list"),
    (("terminate", "i-0123456789abcdef0"), 1, "InvalidInstanceID.NotFound"),
]


@pytest.mark.parametrize(("words", "exit_code", "said"), MISTAKES)
def test_mistake_is_said_with_what_to_do(
    cloud: Cloud, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    more = ("--name", own_name("none")) if words[0] == "launch" else ()
    ran = cloud("instance", *words, *more)
    assert ran.exit_code == exit_code, ran.output
    assert said in ran.stderr
