"""Jobs on EMR, as stand-ins play it: they take the calls, and run no program."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.aws_stand_ins import aws_environment, own_name
from tests.prepared_commands import run_prepared

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.batch.shipped import SHIPPED
from thingtank.cloud import emr, emr_serverless
from thingtank.cloud.emr import INSTANCE_PROFILE, SERVICE_ROLE, Cluster, StreamingJob
from thingtank.cloud.emr_job import Where, run_job
from thingtank.cloud.job_files import JobFailed, Programs, job_address

COUNT = SHIPPED["sequence-count"]
PROGRAMS = Programs(str(COUNT.mapper), str(COUNT.reducer))
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def prepared(settings: AwsSettings) -> Iterator[tuple[AwsClients, str]]:
    """Clients with EMR's roles, and a bucket with input."""
    clients = AwsClients(settings)
    iam, s3 = clients.client("iam"), clients.client("s3")
    for make, named in (
        (iam.create_role, {"RoleName": SERVICE_ROLE, "AssumeRolePolicyDocument": TRUST}),
        (iam.create_instance_profile, {"InstanceProfileName": INSTANCE_PROFILE}),
    ):
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            make(**named)  # unless another test of this worker's has
    bucket = own_name("batch")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="data/log.txt", Body=b"123\n")
    yield clients, bucket
    for found in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=found["Key"])
    s3.delete_bucket(Bucket=bucket)
    clients.close()


@pytest.fixture
def in_either(stand_in: AwsSettings) -> Iterator[tuple[AwsClients, str]]:
    yield from prepared(stand_in)


@pytest.fixture
def in_moto(moto: AwsSettings) -> Iterator[tuple[AwsClients, str]]:
    yield from prepared(moto)


@pytest.fixture
def in_ministack(ministack: AwsSettings) -> Iterator[tuple[AwsClients, str]]:
    yield from prepared(ministack)


def job_in(bucket: str, name: str = "Sequence Count") -> StreamingJob:
    data, out = job_address(f"s3://{bucket}/data/"), job_address(f"s3://{bucket}/out/")
    return StreamingJob(name, PROGRAMS, [data], out, environment={"SEQ": "123"})


def write_output(clients: AwsClients, bucket: str) -> None:
    """What a cluster would have written."""
    s3 = clients.client("s3")
    s3.put_object(Bucket=bucket, Key="out/part-00000", Body=b"123\t6013\n")
    s3.put_object(Bucket=bucket, Key="out/_SUCCESS", Body=b"")


def test_clusters_take_steps_are_listed_and_end(in_either: tuple[AwsClients, str]) -> None:
    clients, bucket = in_either
    name = own_name("count")
    emr.check_cluster(clients, Cluster())
    started = emr.start(clients, job_in(bucket, name), Cluster())
    [step] = clients.client("emr").list_steps(ClusterId=started.cluster_id)["Steps"]
    assert step["Id"] == started.step_id
    assert list(step["Config"]["Args"])[:1] == ["hadoop-streaming"]
    if started.cluster_id in {each.cluster_id for each in emr.running(clients)}:
        more = emr.start(clients, job_in(bucket, name), Cluster(started.cluster_id))
        assert (more.cluster_id, more.is_own) == (started.cluster_id, False)
    emr.terminate(clients, started.cluster_id)
    assert started.cluster_id not in {each.cluster_id for each in emr.running(clients)}


def test_a_job_brings_its_programs_waits_and_reads_its_output(
    in_ministack: tuple[AwsClients, str],
) -> None:
    clients, bucket = in_ministack
    said = []

    def tell(text: str) -> None:
        said.append(text)
        if text.startswith("started step"):
            keys = [
                found["Key"]
                for found in clients.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
            ]
            assert "out.programs/sequence_mapper.py" in keys
            write_output(clients, bucket)

    finished = run_job(clients, job_in(bucket), Where(cluster=Cluster()), tell)
    assert finished.top == [("123", 6013)]
    assert said[-1].endswith("job COMPLETED")
    left = clients.client("s3").list_objects_v2(Bucket=bucket, Prefix="out.programs/")
    assert left["KeyCount"] == 0


def without_input(clients: AwsClients, bucket: str) -> None:
    clients.client("s3").delete_object(Bucket=bucket, Key="data/log.txt")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(without_input, "there is no input at"), (write_output, "exists already: name another")],
    ids=["no input", "output exists"],
)
def test_nothing_is_made_for_a_job_that_cannot_be(
    in_moto: tuple[AwsClients, str], spoil: Callable[[AwsClients, str], None], said: str
) -> None:
    clients, bucket = in_moto
    spoil(clients, bucket)
    name = own_name("count")
    with pytest.raises(JobFailed, match=said):
        run_job(clients, job_in(bucket, name), Where(cluster=Cluster()), print)
    assert name not in {each.name for each in emr.running(clients)}


def test_breaking_off_ends_the_cluster_that_was_made(in_moto: tuple[AwsClients, str]) -> None:
    clients, bucket = in_moto
    name = own_name("count")

    def tell(text: str) -> None:
        if text.startswith("cluster"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(clients, job_in(bucket, name), Where(cluster=Cluster()), tell)
    assert name not in {each.name for each in emr.running(clients)}


def test_a_run_of_serverless_is_started_and_its_application_goes_with_it(
    in_moto: tuple[AwsClients, str],
) -> None:
    clients, bucket = in_moto
    job = job_in(bucket, own_name("count"))
    role = "arn:aws:iam::123456789012:role/batch"
    run = emr_serverless.start(clients, job, emr_serverless.Application(role), 0)
    found = clients.client("emr-serverless").get_job_run(
        applicationId=run.application_id, jobRunId=run.run_id
    )["jobRun"]
    assert found["jobDriver"] == emr_serverless.driver_of(job)
    emr_serverless.end(clients, run)
    emr_serverless.remove(clients, run.application_id, 0)
    names = [
        each["name"]
        for each in clients.client("emr-serverless").list_applications()["applications"]
        if each["state"] != "TERMINATED"
    ]
    assert job.name not in names


def test_the_command_says_that_output_is_not_whole_and_what_still_runs(
    in_ministack: tuple[AwsClients, str], tmp_path: Path
) -> None:
    clients, bucket = in_ministack
    other = emr.start(clients, job_in(bucket), Cluster())
    words = [
        "batch", "run", "--job", "sequence-count", "--on", "emr", "--input", f"s3://{bucket}/data/",
        "--output", f"s3://{bucket}/out", "--data", str(tmp_path),
    ]  # fmt: skip
    ran = run_prepared(*words, env=aws_environment(clients.settings))
    assert ran.returncode == 1, ran.stderr
    assert "has no _SUCCESS" in ran.stderr
    running = {each.cluster_id for each in emr.running(clients)}
    assert all(cluster_id in ran.stderr for cluster_id in running)
    emr.terminate(clients, other.cluster_id)
