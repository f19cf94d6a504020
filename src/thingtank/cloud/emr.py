"""A job as a streaming step of Amazon EMR, on a cluster made for it, or on one that is there.

The same mapper and reducer as on this machine; what they read and write is in S3.

Source: AWS, EMR, "Submit a streaming step"; Hadoop streaming.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from thingtank.aws.addresses import S3Address
from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.defaults import EMR_INSTANCE_COUNT, EMR_INSTANCE_TYPE, EMR_RELEASE
from thingtank.cloud.job_files import JobFailed, JobStillRuns, Programs, beside
from thingtank.cloud.patience import patiently
from thingtank.tank.failures import FailureKind

SERVICE_ROLE = "EMR_DefaultRole"
INSTANCE_PROFILE = "EMR_EC2_DefaultRole"
IDLE_S_MAX = 3600  # after which AWS itself ends a cluster that nobody has ended
WAIT_S_MAX = 6 * 3600.0
STEP_LOOKS_MAX = 30
MAKE_ROLES = "make them once with: aws emr create-default-roles"

STEP_FAILED = frozenset({"FAILED", "CANCELLED", "INTERRUPTED"})
CLUSTER_ENDED = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})
CLUSTER_ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")


class Cluster(msgspec.Struct, frozen=True):
    """Where a step runs.

    Attributes:
        cluster_id: of one that is there; blank to have one made, which ends with the step.
        subnet_id: blank for the account's default network.
    """

    cluster_id: str = ""
    release: str = EMR_RELEASE
    instance_type: str = EMR_INSTANCE_TYPE
    instance_count: int = EMR_INSTANCE_COUNT
    subnet_id: str = ""
    service_role: str = SERVICE_ROLE
    instance_profile: str = INSTANCE_PROFILE


class StreamingJob(msgspec.Struct, frozen=True):
    """What a step is to do.

    Attributes:
        inputs: `s3://bucket/prefix/` each.
        output: `s3://bucket/prefix/`, where nothing is yet.
        logs: a prefix for the cluster's logs; blank for none.
        reducers: how many, and so how many files of output.
    """

    name: str
    programs: Programs
    inputs: Sequence[S3Address]
    output: S3Address
    logs: S3Address | None = None
    environment: Mapping[str, str] = {}
    reducers: int = 1


class Started(msgspec.Struct, frozen=True):
    """A step that was given to a cluster.

    Attributes:
        is_own: the cluster was made for it, and ends with it.
    """

    cluster_id: str
    step_id: str
    is_own: bool


class State(msgspec.Struct, frozen=True):
    """How a step and its cluster are, when that has changed."""

    cluster: str
    step: str
    said: str = ""


def step_of(job: StreamingJob, is_own: bool) -> dict[str, Any]:
    """The step as EMR wants it. Generic options come first: Hadoop wants that."""
    programs, code = job.programs, beside(job.output, "programs")
    arguments = ["hadoop-streaming", "-D", f"mapreduce.job.reduces={job.reducers}"]
    files = [str(code.of(path.name)) for path in programs.files]
    if files:
        arguments += ["-files", ",".join(files)]
    arguments += ["-mapper", programs.mapper_words, "-reducer", programs.reducer_words]
    if programs.combiner_words:
        arguments += ["-combiner", programs.combiner_words]
    for name, value in job.environment.items():
        arguments += ["-cmdenv", f"{name}={value}"]
    for place in job.inputs:
        arguments += ["-input", str(place)]
    arguments += ["-output", str(job.output)]
    return {
        "Name": job.name,
        "ActionOnFailure": "TERMINATE_CLUSTER" if is_own else "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": arguments},
    }


def check_cluster(clients: AwsClients, cluster: Cluster) -> None:
    """See that a cluster can be had, before anything is made.

    Raises:
        JobFailed: a role is missing, or the cluster that was named is at its end.
    """
    if cluster.cluster_id:
        found = clients.client("emr").describe_cluster(ClusterId=cluster.cluster_id)
        state = found["Cluster"]["Status"]["State"]
        if state not in CLUSTER_ALIVE:
            raise JobFailed(f"cluster {cluster.cluster_id} is {state}: name one that runs, or none")
        return
    iam = clients.client("iam")
    _require(f"the role {cluster.service_role}", iam.get_role, RoleName=cluster.service_role)
    _require(
        f"the instance profile {cluster.instance_profile}",
        iam.get_instance_profile,
        InstanceProfileName=cluster.instance_profile,
    )


def _require(what: str, ask: Callable[..., Any], **named: str) -> None:
    try:
        ask(**named)
    except Exception as error:
        if not is_aws_failure(error) or classify(error).kind is not FailureKind.MISSING:
            raise
        raise JobFailed(f"{what} is missing; {MAKE_ROLES}") from None


def start(
    clients: AwsClients,
    job: StreamingJob,
    cluster: Cluster,
    sleep: Callable[[float], object] = time.sleep,
) -> Started:
    """Give the step to the cluster, which is made where none is named."""
    emr = clients.client("emr")
    if cluster.cluster_id:
        step = step_of(job, is_own=False)
        made = emr.add_job_flow_steps(JobFlowId=cluster.cluster_id, Steps=[step])
        return Started(cluster.cluster_id, made["StepIds"][0], False)
    made = emr.run_job_flow(**cluster_of(job, cluster))
    cluster_id = made["JobFlowId"]
    try:
        return Started(cluster_id, _only_step(emr, cluster_id, sleep), True)
    except BaseException:
        terminate(clients, cluster_id)
        raise


def _only_step(emr: Any, cluster_id: str, sleep: Callable[[float], object]) -> str:
    """The step that a cluster was made with; it may take a moment to be listed."""
    for _ in range(STEP_LOOKS_MAX):
        for step in emr.list_steps(ClusterId=cluster_id)["Steps"]:
            return str(step["Id"])
        sleep(1)
    raise JobFailed(f"cluster {cluster_id} has no step; it is being ended")


def cluster_of(job: StreamingJob, cluster: Cluster) -> dict[str, Any]:
    """A cluster with the step, as EMR wants it."""
    instances: dict[str, Any] = {
        "MasterInstanceType": cluster.instance_type,
        "InstanceCount": cluster.instance_count,
        "KeepJobFlowAliveWhenNoSteps": False,
        "TerminationProtected": False,
    }
    if cluster.instance_count > 1:
        instances["SlaveInstanceType"] = cluster.instance_type
    if cluster.subnet_id:
        instances["Ec2SubnetId"] = cluster.subnet_id
    asked: dict[str, Any] = {
        "Name": job.name,
        "ReleaseLabel": cluster.release,
        "Applications": [{"Name": "Hadoop"}],
        "Instances": instances,
        "Steps": [step_of(job, is_own=True)],
        "JobFlowRole": cluster.instance_profile,
        "ServiceRole": cluster.service_role,
        "AutoTerminationPolicy": {"IdleTimeout": IDLE_S_MAX},
        "VisibleToAllUsers": True,
        "Tags": [APP_TAG],
    }
    if job.logs is not None:
        asked["LogUri"] = str(job.logs)
    return asked


def wait(
    clients: AwsClients,
    started: Started,
    delay_s: float,
    wait_s_max: float = WAIT_S_MAX,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[State]:
    """Look at the step until it is completed; gives its state whenever that is another.

    Raises:
        JobFailed: it failed or was cancelled, or its cluster ended before.
        JobStillRuns: it takes too long.
    """
    emr = clients.client("emr")
    deadline_s = time.monotonic() + wait_s_max
    seen: State | None = None
    while True:
        step, cluster = patiently(partial(_look, emr, started), delay_s, sleep)
        now = _state(step, cluster["Status"])
        if now != seen:
            seen = now
            yield now
        if now.step == "COMPLETED":
            return
        if now.step in STEP_FAILED or now.cluster in CLUSTER_ENDED:
            raise JobFailed(_why(started, step, cluster))
        if time.monotonic() > deadline_s:
            raise JobStillRuns(
                f"step {started.step_id} of cluster {started.cluster_id} is {now.step} after"
                f" {wait_s_max / 3600:g} h; it still runs, and costs. Its output comes when it"
                f" ends; to end it now: {_how_to_end(started)}"
            )
        sleep(delay_s)


def _how_to_end(started: Started) -> str:
    if started.is_own:
        return f"thingtank cloud cluster terminate {started.cluster_id}"
    return (
        f"aws emr cancel-steps --cluster-id {started.cluster_id} --step-ids {started.step_id}"
        " --step-cancellation-option TERMINATE_PROCESS"
    )


def _look(emr: Any, started: Started) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The step's status, and the cluster."""
    ids = {"ClusterId": started.cluster_id}
    step = emr.describe_step(**ids, StepId=started.step_id)["Step"]["Status"]
    return step, emr.describe_cluster(**ids)["Cluster"]


def _state(step: Mapping[str, Any], cluster: Mapping[str, Any]) -> State:
    said = cluster.get("StateChangeReason", {}).get("Message", "")
    return State(cluster["State"], step["State"], said)


def _why(started: Started, step: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    """What is known of a failure, and where the programs' own words are."""
    details = step.get("FailureDetails", {})
    reason = step.get("StateChangeReason", {}).get("Message", "")
    ended = cluster["Status"].get("StateChangeReason", {}).get("Message", "")
    said = [details.get("Reason", ""), details.get("Message", ""), reason, ended]
    lines = [f"step {started.step_id} of cluster {started.cluster_id} is {step['State']}"]
    lines += list(dict.fromkeys(text for text in said if text))
    logs = cluster.get("LogUri", "").replace("s3n://", "s3://").rstrip("/")
    if details.get("LogFile"):
        lines.append(f"log: {details['LogFile']}")
    if logs:
        where = f"{logs}/{started.cluster_id}/steps/{started.step_id}/stderr.gz"
        lines.append(f"what its programs wrote to standard error, some minutes later: {where}")
    else:
        lines.append("its logs are not kept; --logs s3://… keeps them")
    return "\n".join(lines)


class Running(msgspec.Struct, frozen=True):
    """A cluster that runs, and so costs."""

    cluster_id: str
    name: str
    state: str
    created: str
    instance_hours: int


def running(clients: AwsClients) -> list[Running]:
    """All clusters of the account, in this region, that have not ended."""
    pages = clients.client("emr").get_paginator("list_clusters")
    return [
        Running(
            each["Id"],
            each["Name"],
            each["Status"]["State"],
            str(each["Status"].get("Timeline", {}).get("CreationDateTime", "")),
            each.get("NormalizedInstanceHours", 0),
        )
        for page in pages.paginate(ClusterStates=list(CLUSTER_ALIVE))
        for each in page["Clusters"]
    ]


def end(clients: AwsClients, started: Started) -> None:
    """Break a step off, with the cluster if it was made for it."""
    emr = clients.client("emr")
    if started.is_own:
        terminate(clients, started.cluster_id)
    else:
        emr.cancel_steps(
            ClusterId=started.cluster_id,
            StepIds=[started.step_id],
            StepCancellationOption="TERMINATE_PROCESS",
        )


def terminate(clients: AwsClients, cluster_id: str) -> None:
    """End a cluster."""
    clients.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
