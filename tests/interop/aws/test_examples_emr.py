"""The examples of boxes 8.36 to 8.38."""

import subprocess
import sys
from pathlib import Path

from tests.aws_stand_ins import aws_environment, own_name

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings

EXAMPLES = Path(__file__).parents[3] / "examples"
MAPPER, REDUCER = EXAMPLES / "box_8_37_mapper.py", EXAMPLES / "box_8_38_reducer.py"
LOG = b"state 123\nstate 321\n x 123 123\n\xff 123\n\n12 3\n"


def pipeline(log: bytes, environment: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
    line = f"{sys.executable} {MAPPER} | LC_ALL=C sort | {sys.executable} {REDUCER}"
    return subprocess.run(["sh", "-c", line], input=log, env=environment, capture_output=True)


def test_mapper_and_reducer_count_the_lines_with_the_sequence() -> None:
    assert pipeline(LOG, {}).stdout == b"123\t3\n"
    assert pipeline(LOG, {"SEQ": "12 3"}).stdout == b"12 3\t1\n"


def test_no_line_is_no_output() -> None:
    ran = pipeline(b"", {})
    assert (ran.stdout, ran.stderr) == (b"", b"")


def test_the_reducer_sums_what_it_has_summed_and_leaves_out_what_is_no_count() -> None:
    lines = b"a\t2\na\t3\nab\nb\tx\nb\t1\n"
    ran = subprocess.run([sys.executable, REDUCER], input=lines, capture_output=True, check=True)
    assert ran.stdout == b"a\t5\nb\t1\n"
    assert ran.stderr == b"reporter:counter:sequence count,malformed,2\n"
    again = subprocess.run([sys.executable, REDUCER], input=ran.stdout, capture_output=True)
    assert again.stdout == ran.stdout


def test_the_job_is_launched_waited_for_and_its_output_printed(ministack: AwsSettings) -> None:
    """The stand-in runs no program: what a cluster would write is there beforehand."""
    clients, bucket = AwsClients(ministack), own_name("emr")
    s3 = clients.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="out/part-00000", Body=b"123\t3\n")
    s3.put_object(Bucket=bucket, Key="out/_SUCCESS", Body=b"")
    ran = subprocess.run(
        [sys.executable, EXAMPLES / "box_8_36_emr_job.py", bucket, "out/"],
        env=aws_environment(ministack), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-3:] == ["Job status: COMPLETED", "123\t3", "Done!"]
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert {f"programs/{MAPPER.name}", f"programs/{REDUCER.name}"} < set(keys)
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
    clients.close()


def test_emr_job_without_a_bucket_says_how_it_is_used() -> None:
    ran = subprocess.run(
        [sys.executable, EXAMPLES / "box_8_36_emr_job.py"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, "usage: " in ran.stderr, "Traceback" in ran.stderr) == (1, True, False)
