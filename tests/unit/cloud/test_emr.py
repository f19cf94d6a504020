"""What is asked of EMR, and what is made of its answers: botocore's own models check both."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from thingtank.aws.addresses import S3Address
from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.batch.shipped import SHIPPED
from thingtank.cloud import emr, emr_serverless
from thingtank.cloud.emr import Cluster, Started, State, StreamingJob
from thingtank.cloud.job_files import JobFailed, JobStillRuns, Programs, beside, job_address

COUNT = SHIPPED["sequence-count"]
JOB = StreamingJob(
    name="Sequence Count",
    programs=Programs(str(COUNT.mapper), str(COUNT.reducer), str(COUNT.combiner)),
    inputs=[job_address("s3n://mybucket/data/")],
    output=job_address("s3://mybucket/out/run-1/"),
    logs=job_address("s3://mybucket/logs/"),
    environment={"SEQ": "123"},
)
STARTED = Started("j-1", "s-1", True)


@pytest.fixture
def clients() -> Iterator[AwsClients]:
    settings = AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9")
    found = AwsClients(settings)
    yield found
    found.close()


def test_the_step_runs_the_same_programs_with_generic_options_first() -> None:
    assert emr.step_of(JOB, is_own=True) == {
        "Name": "Sequence Count",
        "ActionOnFailure": "TERMINATE_CLUSTER",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": [
                "hadoop-streaming", "-D", "mapreduce.job.reduces=1",
                "-files", "s3://mybucket/out/run-1.programs/sequence_mapper.py,"
                "s3://mybucket/out/run-1.programs/sequence_reducer.py",
                "-mapper", "python3 sequence_mapper.py", "-reducer", "python3 sequence_reducer.py",
                "-combiner", "python3 sequence_reducer.py", "-cmdenv", "SEQ=123",
                "-input", "s3://mybucket/data/", "-output", "s3://mybucket/out/run-1/",
            ],
        },
    }  # fmt: skip


def test_a_command_is_no_file_to_bring_there() -> None:
    programs = Programs("awk '{print $2}'", "uniq -c")
    arguments = emr.step_of(StreamingJob("x", programs, [], JOB.output), False)
    assert "-files" not in arguments["HadoopJarStep"]["Args"]
    assert arguments["ActionOnFailure"] == "CONTINUE"
    assert programs.mapper_words == "awk '{print $2}'"


def test_a_cluster_is_made_with_the_step_and_ends_with_it(clients: AwsClients) -> None:
    asked = emr.cluster_of(JOB, Cluster(subnet_id="subnet-1"))
    assert not asked["Instances"]["KeepJobFlowAliveWhenNoSteps"]
    assert asked["AutoTerminationPolicy"] == {"IdleTimeout": 3600}
    with Stubber(clients.client("emr")) as stub:
        stub.add_response("run_job_flow", {"JobFlowId": "j-1"}, asked)
        stub.add_response("list_steps", {"Steps": [{"Id": "s-1"}]}, {"ClusterId": "j-1"})
        assert emr.start(clients, JOB, Cluster(subnet_id="subnet-1")) == STARTED


def test_a_cluster_whose_step_cannot_be_found_is_ended(clients: AwsClients) -> None:
    with Stubber(clients.client("emr")) as stub:
        stub.add_response("run_job_flow", {"JobFlowId": "j-1"}, emr.cluster_of(JOB, Cluster()))
        stub.add_response("list_steps", {"Steps": []})
        stub.add_client_error("list_steps", "ThrottlingException")
        stub.add_response("terminate_job_flows", {}, {"JobFlowIds": ["j-1"]})
        with pytest.raises(ClientError, match="ThrottlingException"):
            emr.start(clients, JOB, Cluster(), sleep=lambda _: None)
        stub.assert_no_pending_responses()


def test_a_cluster_that_was_named_gets_a_step(clients: AwsClients) -> None:
    with Stubber(clients.client("emr")) as stub:
        asked = {"JobFlowId": "j-2", "Steps": [emr.step_of(JOB, False)]}
        stub.add_response("add_job_flow_steps", {"StepIds": ["s-9"]}, asked)
        assert emr.start(clients, JOB, Cluster("j-2")) == Started("j-2", "s-9", False)


def add_look(stub: Stubber, step: str, cluster: str, **details: Any) -> None:
    status = {"State": step, **details}
    ids = {"ClusterId": "j-1"}
    stub.add_response("describe_step", {"Step": {"Status": status}}, {**ids, "StepId": "s-1"})
    found = {"Status": {"State": cluster}, "LogUri": "s3n://mybucket/logs/"}
    stub.add_response("describe_cluster", {"Cluster": found}, ids)


def test_waiting_tells_each_change_until_the_step_is_completed(clients: AwsClients) -> None:
    pauses: list[float] = []
    with Stubber(clients.client("emr")) as stub:
        add_look(stub, "PENDING", "STARTING")
        add_look(stub, "PENDING", "STARTING")
        add_look(stub, "RUNNING", "RUNNING")
        add_look(stub, "COMPLETED", "TERMINATING")
        seen = list(emr.wait(clients, STARTED, 15, sleep=pauses.append))
    assert seen == [
        State("STARTING", "PENDING"),
        State("RUNNING", "RUNNING"),
        State("TERMINATING", "COMPLETED"),
    ]
    assert pauses == [15, 15, 15]


def test_waiting_goes_on_while_aws_asks_for_fewer_calls(clients: AwsClients) -> None:
    with Stubber(clients.client("emr")) as stub:
        stub.add_client_error("describe_step", "ThrottlingException", "Rate exceeded", 400)
        add_look(stub, "COMPLETED", "RUNNING")
        seen = list(emr.wait(clients, STARTED, 0))
    assert [state.step for state in seen] == ["COMPLETED"]


def test_waiting_ends_where_it_is_not_allowed(clients: AwsClients) -> None:
    with Stubber(clients.client("emr")) as stub:
        stub.add_client_error("describe_step", "AccessDeniedException", "no", 400)
        with pytest.raises(ClientError, match="AccessDenied"):
            list(emr.wait(clients, STARTED, 0))


def test_a_failed_step_is_explained_with_its_logs(clients: AwsClients) -> None:
    details = {"Reason": "Unknown Error.", "Message": "PipeMapRed.waitOutputThreads(): subprocess"
               " failed with code 1", "LogFile": "s3://mybucket/logs/j-1/steps/s-1/"}  # fmt: skip
    with Stubber(clients.client("emr")) as stub:
        add_look(stub, "FAILED", "TERMINATING", FailureDetails=details)
        with pytest.raises(JobFailed) as failed:
            list(emr.wait(clients, STARTED, 0))
    said = str(failed.value)
    assert "step s-1 of cluster j-1 is FAILED" in said
    assert "subprocess failed with code 1" in said
    assert "s3://mybucket/logs/j-1/steps/s-1/stderr.gz" in said


@pytest.mark.parametrize(
    ("step", "cluster", "said"),
    [
        ("CANCELLED", "RUNNING", "is CANCELLED"),
        ("INTERRUPTED", "RUNNING", "is INTERRUPTED"),
        ("PENDING", "TERMINATED_WITH_ERRORS", "step s-1 of cluster j-1 is PENDING"),
    ],
)
def test_no_wait_is_endless(clients: AwsClients, step: str, cluster: str, said: str) -> None:
    with Stubber(clients.client("emr")) as stub:
        add_look(stub, step, cluster)
        with pytest.raises(JobFailed, match=said):
            list(emr.wait(clients, STARTED, 0))


def test_a_job_that_takes_too_long_is_told_to_run_on(clients: AwsClients) -> None:
    with Stubber(clients.client("emr")) as stub:
        add_look(stub, "RUNNING", "RUNNING")
        with pytest.raises(
            JobStillRuns, match=r"still runs.*thingtank cloud cluster terminate j-1"
        ):
            list(emr.wait(clients, STARTED, 0, wait_s_max=-1))


def test_a_missing_role_is_named_with_how_to_make_it(clients: AwsClients) -> None:
    with Stubber(clients.client("iam")) as stub:
        stub.add_client_error("get_role", "NoSuchEntity", "not found", 404)
        with pytest.raises(JobFailed) as failed:
            emr.check_cluster(clients, Cluster())
    assert "EMR_DefaultRole is missing; make them once with: aws emr" in str(failed.value)


def test_a_cluster_at_its_end_takes_no_step(clients: AwsClients) -> None:
    with Stubber(clients.client("emr")) as stub:
        answer = {"Cluster": {"Status": {"State": "TERMINATED"}}}
        stub.add_response("describe_cluster", answer, {"ClusterId": "j-2"})
        with pytest.raises(JobFailed, match="is TERMINATED"):
            emr.check_cluster(clients, Cluster("j-2"))


def test_breaking_off_ends_a_cluster_of_its_own_and_only_the_step_of_another(
    clients: AwsClients,
) -> None:
    with Stubber(clients.client("emr")) as stub:
        stub.add_response("terminate_job_flows", {}, {"JobFlowIds": ["j-1"]})
        emr.end(clients, STARTED)
        asked = {"ClusterId": "j-2", "StepIds": ["s-9"], "StepCancellationOption": "TERMINATE_PROCESS"}  # fmt: skip
        stub.add_response("cancel_steps", {}, asked)
        emr.end(clients, Started("j-2", "s-9", False))
        stub.assert_no_pending_responses()


RUN = {"applicationId": "a-1", "jobRunId": "r-1"}


def add_run(stub: Stubber, state: str, said: str = "-") -> None:
    at = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
    run = {**RUN, "createdBy": "arn:aws:iam::123456789012:user/x",
           "arn": "arn:aws:emr-serverless:us-east-1:123456789012:/applications/a-1/jobruns/r-1",
           "createdAt": at, "updatedAt": at, "executionRole": "arn:aws:iam::123456789012:role/x",
           "state": state, "stateDetails": said, "releaseLabel": "emr-7.14.0",
           "jobDriver": emr_serverless.driver_of(JOB)}  # fmt: skip
    stub.add_response("get_job_run", {"jobRun": run}, RUN)


def test_a_run_of_serverless_is_waited_for(clients: AwsClients) -> None:
    started = emr_serverless.StartedRun("a-1", "r-1", False)
    with Stubber(clients.client("emr-serverless")) as stub:
        for state in ("SUBMITTED", "SCHEDULED", "RUNNING", "RUNNING", "SUCCESS"):
            add_run(stub, state)
        seen = [each.step for each in emr_serverless.wait(clients, started, None, 0)]
    assert seen == ["SUBMITTED", "SCHEDULED", "RUNNING", "SUCCESS"]


def test_a_run_of_serverless_that_fails_is_explained(clients: AwsClients) -> None:
    started = emr_serverless.StartedRun("a-1", "r-1", False)
    with Stubber(clients.client("emr-serverless")) as stub:
        add_run(stub, "FAILED", "Job failed, please check complete logs")
        with pytest.raises(JobFailed) as failed:
            list(emr_serverless.wait(clients, started, job_address("s3://mybucket/logs/"), 0))
    assert "please check complete logs" in str(failed.value)
    assert "s3://mybucket/logs/applications/a-1/jobs/r-1/SPARK_DRIVER/stderr.gz" in str(
        failed.value
    )


@pytest.mark.parametrize("text", ["out/", "s3://", "http://bucket/out", "s3:bucket"])
def test_a_place_on_this_machine_is_none_for_a_cluster(text: str) -> None:
    with pytest.raises(JobFailed, match="reads and writes in S3, and"):
        job_address(text)


def test_places_have_places_below_and_beside() -> None:
    place = job_address("s3a://bucket/out/")
    assert (place, str(place.of("x")), str(beside(place, "programs"))) == (
        S3Address("bucket", "out/"), "s3://bucket/out/x", "s3://bucket/out.programs/",
    )  # fmt: skip
