"""A job on EMR Serverless: Spark, which pipes lines through the same mapper and reducer.

An application is what jobs run in; it costs nothing while none does, and stops by itself. Nothing
of it was seen on AWS itself.

Source: AWS, EMR Serverless API, StartJobRun, GetJobRun.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from thingtank.aws.addresses import S3Address
from thingtank.aws.clients import AwsClients
from thingtank.aws.tags import APP_TAGS
from thingtank.batch.shipped import FOLDER
from thingtank.cloud.defaults import EMR_RELEASE
from thingtank.cloud.emr import WAIT_S_MAX, State, StreamingJob
from thingtank.cloud.job_files import JobFailed, JobStillRuns, beside, upload
from thingtank.cloud.patience import patiently

WRAPPER = FOLDER / "spark_streaming.py"
IDLE_MINUTES = 5
_FAILED = frozenset({"FAILED", "CANCELLED"})
_READY = frozenset({"CREATED", "STARTED"})


class Application(msgspec.Struct, frozen=True):
    """Where a job runs.

    Attributes:
        application_id: of one that is there; blank to have one made, which is deleted afterwards.
        role_arn: as which the job runs; it must be allowed to read the input and write the output.
    """

    role_arn: str
    application_id: str = ""
    release: str = EMR_RELEASE


class StartedRun(msgspec.Struct, frozen=True):
    """A job run; `is_own` says that its application was made for it."""

    application_id: str
    run_id: str
    is_own: bool


def start(
    clients: AwsClients,
    job: StreamingJob,
    application: Application,
    delay_s: float,
    sleep: Callable[[float], object] = time.sleep,
) -> StartedRun:
    """Start the job, in an application that is made where none is named.

    Raises:
        JobFailed: the application that was named cannot be used.
    """
    serverless = clients.client("emr-serverless")
    code = beside(job.output, "programs")
    upload(clients, WRAPPER.read_bytes(), code.of(WRAPPER.name))
    application_id = application.application_id
    if not application_id:
        made = serverless.create_application(
            name=job.name[:64],
            releaseLabel=application.release,
            type="SPARK",
            autoStopConfiguration={"enabled": True, "idleTimeoutMinutes": IDLE_MINUTES},
            tags=APP_TAGS,
        )
        application_id = made["applicationId"]
    try:
        _await_application(serverless, application_id, delay_s, sleep)
        run = serverless.start_job_run(
            applicationId=application_id,
            executionRoleArn=application.role_arn,
            name=job.name[:256],
            jobDriver=driver_of(job),
            **_monitoring(job.logs),
        )
    except BaseException:
        if not application.application_id:
            remove(clients, application_id, delay_s, sleep)
        raise
    return StartedRun(application_id, run["jobRunId"], not application.application_id)


def driver_of(job: StreamingJob) -> dict[str, Any]:
    """What Spark is to run."""
    programs, code = job.programs, beside(job.output, "programs")
    arguments = ["--output", str(job.output), "--reducers", str(job.reducers)]
    for word, program in (
        ("--mapper", programs.mapper_words),
        ("--reducer", programs.reducer_words),
        ("--combiner", programs.combiner_words),
    ):
        arguments += [word, program] if program else []
    for path in programs.files:
        arguments += ["--file", str(code.of(path.name))]
    for name, value in job.environment.items():
        arguments += ["--env", f"{name}={value}"]
    for place in job.inputs:
        arguments += ["--input", str(place)]
    return {
        "sparkSubmit": {
            "entryPoint": str(code.of(WRAPPER.name)),
            "entryPointArguments": arguments,
        }
    }


def _monitoring(logs: S3Address | None) -> dict[str, Any]:
    if logs is None:
        return {}
    to = {"s3MonitoringConfiguration": {"logUri": str(logs)}}
    return {"configurationOverrides": {"monitoringConfiguration": to}}


def _await_application(
    serverless: Any, application_id: str, delay_s: float, sleep: Callable[[float], object]
) -> None:
    deadline_s = time.monotonic() + 600
    while True:
        found = serverless.get_application(applicationId=application_id)["application"]
        if found["state"] in _READY or found["state"] == "STOPPED":
            return
        if found["state"] == "TERMINATED" or time.monotonic() > deadline_s:
            raise JobFailed(f"application {application_id} is {found['state']}")
        sleep(delay_s)


def wait(
    clients: AwsClients,
    started: StartedRun,
    logs: S3Address | None,
    delay_s: float,
    wait_s_max: float = WAIT_S_MAX,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[State]:
    """Look at the run until it has succeeded; gives its state whenever that is another.

    Raises:
        JobFailed: it failed or was cancelled.
        JobStillRuns: it takes too long.
    """
    serverless = clients.client("emr-serverless")
    deadline_s = time.monotonic() + wait_s_max
    seen = ""

    def look() -> Any:
        ids = {"applicationId": started.application_id, "jobRunId": started.run_id}
        return serverless.get_job_run(**ids)["jobRun"]

    while True:
        run = patiently(look, delay_s, sleep)
        state = run["state"]
        if state != seen:
            seen = state
            yield State("serverless", state, run.get("stateDetails", ""))
        if state == "SUCCESS":
            return
        if state in _FAILED:
            raise JobFailed(_why(started, run, logs))
        if time.monotonic() > deadline_s:
            raise JobStillRuns(
                f"run {started.run_id} of application {started.application_id} is {state} after"
                f" {wait_s_max / 3600:g} h; it still runs, and costs. Its output comes when it"
                f" ends; to end it now: aws emr-serverless cancel-job-run"
                f" --application-id {started.application_id} --job-run-id {started.run_id}"
            )
        sleep(delay_s)


def _why(started: StartedRun, run: Any, logs: S3Address | None) -> str:
    lines = [f"run {started.run_id} of application {started.application_id} is {run['state']}"]
    if run.get("stateDetails"):
        lines.append(run["stateDetails"])
    if logs is None:
        lines.append("its logs are not kept; --logs s3://… keeps them")
    else:
        where = logs.of(
            f"applications/{started.application_id}/jobs/{started.run_id}/SPARK_DRIVER/stderr.gz"
        )
        lines.append(f"what its programs wrote to standard error: {where}")
    return "\n".join(lines)


def end(clients: AwsClients, started: StartedRun) -> None:
    """Break a run off."""
    clients.client("emr-serverless").cancel_job_run(
        applicationId=started.application_id, jobRunId=started.run_id
    )


def remove(
    clients: AwsClients,
    application_id: str,
    delay_s: float,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Stop and delete an application that was made for one job."""
    serverless = clients.client("emr-serverless")
    serverless.stop_application(applicationId=application_id)
    for _ in range(100):
        state = serverless.get_application(applicationId=application_id)["application"]["state"]
        if state in ("STOPPED", "CREATED"):
            break
        sleep(delay_s)
    serverless.delete_application(applicationId=application_id)
