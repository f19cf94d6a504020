"""`thingtank cloud check` and `thingtank cloud local`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.aws_stand_ins import aws_environment, ministack_program
from tests.ports import free_port
from tests.prepared_commands import run_prepared

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cli.main import main
from thingtank.cloud import stand_in as stand_ins

COMMAND = [sys.executable, "-m", "thingtank.cli.main", "cloud"]


def cloud(settings: AwsSettings, *words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return run_prepared("cloud", *words, "--data", str(folder), env=aws_environment(settings))


def test_services_of_a_stand_in_answer(stand_in: AwsSettings, tmp_path: Path) -> None:
    ran = cloud(stand_in, "check", "--json", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["account"]
    services = [each["service"] for each in said["services"]]
    assert services == ["ec2", "autoscaling", "cloudwatch", "s3", "rds", "dynamodb", "kinesis",
                        "sqs", "emr"]  # fmt: skip


@pytest.mark.parametrize(
    "setting",
    ['aws.endpoint_url="nonsense"', 'aws.endpoints={s3="http://"}', "aws.connections_max=0"],
)
def test_setting_that_can_never_work_is_wrong_use(setting: str, tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["cloud", "check", "--data", str(tmp_path), "--set", setting])
    assert ran.exit_code == 2, ran.output
    assert "aws" in ran.stderr


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://127.0.0.1:99999", "http://[::1"])
def test_address_of_the_environment_that_is_none_is_said_in_a_sentence(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = AwsSettings(region="us-east-1", endpoint_url=f"http://127.0.0.1:{free_port()}")
    for name, value in (aws_environment(nobody) | {"AWS_ENDPOINT_URL": url}).items():
        monkeypatch.setenv(name, value)
    ran = CliRunner().invoke(main, ["cloud", "check", "--data", str(tmp_path)])
    assert ran.exit_code == 2, ran.output
    assert isinstance(ran.exception, SystemExit)  # click's own, not what went wrong
    assert "AWS_ENDPOINT_URL" in ran.stderr


def test_nobody_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    nobody = AwsSettings(region="us-east-1", endpoint_url=f"http://127.0.0.1:{free_port()}")
    (tmp_path / "thingtank.toml").write_text(f'[aws]\nendpoint_url = "{nobody.endpoint_url}"\n')
    ran = cloud(nobody, "check", folder=tmp_path)
    assert ran.returncode == 1
    assert "Could not connect" in ran.stderr
    assert "aws.endpoint_url" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_s3_alone_is_checked_where_nobody_says_who_asks(moto: AwsSettings, tmp_path: Path) -> None:
    (tmp_path / "thingtank.toml").write_text(
        f'[aws]\nregion = "us-east-1"\n[aws.endpoints]\ns3 = "{moto.endpoint_url}"\n'
        f'sts = "http://127.0.0.1:{free_port()}"\n'
    )
    ran = run_prepared("cloud", "check", "--json", "--data", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["identity"] is None
    assert [(each["service"], each["is_ok"]) for each in said["services"]] == [("s3", True)]


def test_no_keys_are_said_in_a_sentence(tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_")
    } | {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    words = ["cloud", "check", "--data", str(tmp_path), "--set", "aws.region=us-east-1"]
    ran = run_prepared(*words, env=environment)
    assert ran.returncode == 1
    assert "There are no AWS keys on this machine" in ran.stderr


def test_local_says_that_moto_keeps_nothing_and_stops_by_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [*COMMAND, "local", "--temporary", "--port", str(port), "--data", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    words = []
    for line in process.stdout:
        words.append(line)
        if "Ctrl-C" in line:
            break
    settings = AwsSettings(region="us-east-1", endpoint_url=f"http://127.0.0.1:{port}")
    assert cloud(settings, "check", folder=tmp_path).returncode == 0
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Nothing is kept" in "".join(words)
    assert f'endpoint_url = "http://127.0.0.1:{port}"' in "".join(words)


def test_what_is_made_in_ministack_is_there_at_its_next_start(
    tmp_path: Path,
) -> None:
    for is_second in (False, True):
        found = stand_ins.ministack(ministack_program(), tmp_path, free_port())
        with stand_ins.started(found, tmp_path / "log.txt"):
            clients = AwsClients(AwsSettings(region="us-east-1", endpoint_url=found.url))
            if not is_second:
                clients.client("sqs").create_queue(QueueName="kept")
            assert "kept" in clients.client("sqs").list_queues()["QueueUrls"][0]
            clients.close()
