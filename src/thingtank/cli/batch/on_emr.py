"""`thingtank batch run --on emr`: the same programs on AWS."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.batch.options import SERVERLESS, environment_of, programs_of
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.emr_job import Finished, Where


def run_on_emr(data: Path, file: Path | None, sets: tuple[str, ...], **asked: Any) -> "Finished":
    """Run it there, telling how it goes; lists what still runs when it does not succeed."""
    from thingtank.cli.cloud.session import aws_clients, say
    from thingtank.cloud.emr_job import run_job
    from thingtank.cloud.job_files import JobFailed

    where = _where(**asked)
    try:
        job = _job(**asked)
    except JobFailed as error:
        raise Refusal(str(error)) from None
    with aws_clients(data, file, sets) as clients:
        try:
            return run_job(clients, job, where, say)
        except JobFailed as error:
            _list_running(clients)
            raise Refusal(str(error)) from None
        except KeyboardInterrupt:
            _list_running(clients)
            raise


def _job(**asked: Any) -> Any:
    from thingtank.cloud.emr import StreamingJob
    from thingtank.cloud.job_files import Programs, job_address

    return StreamingJob(
        name=asked["job"] or "Thing Tank batch",
        programs=Programs(*programs_of(asked["job"], asked)),
        inputs=[job_address(text) for text in asked["inputs"]],
        output=job_address(asked["output"].rstrip("/") + "/"),
        logs=job_address(asked["logs"]) if asked["logs"] else None,
        environment=environment_of(asked["variables"]),
        reducers=asked["reducers"],
    )


def _where(**asked: Any) -> "Where":
    from thingtank.cloud.emr import Cluster
    from thingtank.cloud.emr_job import Where
    from thingtank.cloud.emr_serverless import Application

    if asked["place"] == SERVERLESS:
        if not asked["role"]:
            raise click.UsageError("EMR Serverless needs --role ARN, as which the job runs")
        return Where(application=Application(asked["role"], asked["application"], asked["release"]))
    return Where(
        cluster=Cluster(
            cluster_id=asked["cluster"],
            release=asked["release"],
            instance_type=asked["instance_type"],
            instance_count=asked["instances"],
            subnet_id=asked["subnet"],
        )
    )


def _list_running(clients: "AwsClients") -> None:
    from thingtank.aws.failures import classify, is_aws_failure
    from thingtank.cli.cloud.session import say
    from thingtank.cloud.emr import running

    try:
        found = running(clients)
    except Exception as error:
        if not is_aws_failure(error):
            raise
        say(f"what still runs cannot be listed: {classify(error)}")
        return
    for cluster in found:
        say(f"still runs, and costs: cluster {cluster.cluster_id} ({cluster.state}) {cluster.name}")
        say(f"  end it with: thingtank cloud cluster terminate {cluster.cluster_id}")
