"""The examples of boxes 8.26 and 8.27."""

import os
import subprocess
import sys
from pathlib import Path

from tests.aws_commands import run_cloud
from tests.aws_stand_ins import aws_environment, own_name
from tests.interop.aws.buckets import remove_bucket

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings

EXAMPLES = Path(__file__).parents[3] / "examples"


def ran(settings: AwsSettings, name: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *words],
        env=aws_environment(settings), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_file_is_uploaded_below_a_path_and_to_the_root(
    stand_in: AwsSettings, tmp_path: Path
) -> None:
    file, bucket = tmp_path / "file.bin", own_name("mybucket2013")
    file.write_bytes(os.urandom(9 * 2**20))
    done = ran(stand_in, "box_8_26_s3_upload.py", bucket, str(file))
    assert done.returncode == 0, done.stderr
    assert "100 %" in done.stderr
    clients = AwsClients(stand_in)
    s3 = clients.client("s3")
    for key in ("data/file.bin", "file.bin"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == file.read_bytes()
    remove_bucket(s3, bucket)
    clients.close()


def test_an_instance_is_launched_waited_for_and_told_of(stand_in: AwsSettings) -> None:
    name = own_name("MySQL-db")
    done = ran(stand_in, "box_8_27_rds_instance.py", "--id", name, "--wait", "0.1")
    assert done.returncode == 0, done.stderr
    assert "Instance State: available" in done.stdout
    assert "Engine: mysql" in done.stdout
    run_cloud(stand_in, "database", "delete", name, "--no-snapshot", "--yes")
