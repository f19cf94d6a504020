"""Names that commands of `thingtank cloud` do not take, and that no other name is taken for."""

from pathlib import Path

import pytest
from tests.aws_commands import run_cloud, said
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings

NEVER = [
    ("stream", "create", "a b"),
    ("queue", "create", "a b"),
    ("queue", "create", "one", "--dead-letters", "one"),
    ("queue", "create", "one", "--visibility", "13h"),
    ("queue", "create", "one", "--keep", "1s"),
    ("table", "create", "a b", "--hash", "id"),
    ("instance", "launch", "--name", ""),
    ("instance", "launch", "--name", "i-one"),
    ("instance", "launch", "--name", "a" * 300),
    ("instance", "terminate", "", "--yes"),
    ("instance", "terminate", "*", "--yes"),
    ("status", ""),
    ("scale", "a*", "1"),
    ("rollback", "?ank", "--yes"),
    ("destroy", "*", "--yes"),
]


@pytest.mark.parametrize("words", NEVER, ids=lambda words: " ".join(words)[:40])
def test_name_or_number_that_aws_never_takes_is_wrong_use(
    words: tuple[str, ...], moto: AwsSettings
) -> None:
    refused = run_cloud(moto, *words)
    assert (refused.exit_code, refused.stdout) == (2, ""), refused.output
    assert refused.stderr.startswith("Error: ")


def test_stars_are_no_wildcards_for_what_is_ended(moto: AwsSettings) -> None:
    """EC2's own filters take them for any characters."""
    name = own_name("stars")
    clients = AwsClients(moto)
    ec2 = clients.client("ec2")
    said(moto, "deploy", "--name", name, "--min", "0")
    from thingtank.cloud.deployment.destroy import own_parts
    from thingtank.cloud.instances.access import group_named

    assert own_parts(clients, f"{name[:-1]}*") == []
    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [f"thingtank-{name}"]}]
    )["SecurityGroups"]
    assert group_named(ec2, f"thingtank-{name[:-1]}*", group["VpcId"]) is None
    said(moto, "destroy", name, "--yes")


def test_group_of_others_is_not_scaled(moto: AwsSettings) -> None:
    name = own_name("others")
    autoscaling = AwsClients(moto).client("autoscaling")
    said(moto, "deploy", "--name", name, "--min", "0")
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "app",
           "PropagateAtLaunch": True}  # fmt: skip
    autoscaling.create_or_update_tags(Tags=[{**tag, "Value": "other"}])
    for words in (("scale", name, "1"), ("rollback", name, "--yes")):
        refused = run_cloud(moto, *words)
        assert (refused.exit_code, "no tag app=thingtank" in refused.stderr) == (1, True)
    autoscaling.create_or_update_tags(Tags=[{**tag, "Value": "thingtank"}])
    said(moto, "destroy", name, "--yes")


def test_folder_that_cannot_be_written_is_said(moto: AwsSettings, tmp_path: Path) -> None:
    (tmp_path / "cloud").write_text("no folder")
    refused = run_cloud(
        moto, "instance", "launch", "--name", own_name("folder"), "--no-wait", folder=tmp_path
    )
    assert (refused.exit_code, "cannot be used" in refused.stderr) == (1, True), refused.output
