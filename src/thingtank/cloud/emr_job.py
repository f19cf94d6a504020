"""A job on AWS from its programs to its output: looked over, started, waited for, read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from thingtank.aws.clients import AwsClients, is_stand_in
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.batch.results import top_counts
from thingtank.cloud import emr, emr_serverless
from thingtank.cloud.job_files import (
    JobFailed,
    JobStillRuns,
    beside,
    check_files,
    delete_programs,
    output_lines,
    upload_programs,
)
from thingtank.cloud.progress import Say

LOOK_S = 15.0  # from one look at the job to the next; AWS asks for no less
STAND_IN_LOOK_S = 0.2


class Where(NamedTuple):
    """A cluster or an application of EMR Serverless; one of them is None."""

    cluster: emr.Cluster | None = None
    application: emr_serverless.Application | None = None


class Finished(NamedTuple):
    """What came of a job: the largest counts of its output."""

    output: str
    top: list[tuple[str, int]]


def run_job(clients: AwsClients, job: emr.StreamingJob, where: Where, say: Say) -> Finished:
    """Run a job on AWS and wait for its end.

    What was made for it ends with it, also when it fails or is broken off; not where it takes too
    long to be waited for, as it still runs then.

    Args:
        say: gets a sentence whenever something has changed.

    Raises:
        JobFailed: with what is known, and where the logs are.
    """
    check_files(clients, job.programs, job.inputs, job.output)
    if where.cluster is not None:
        emr.check_cluster(clients, where.cluster)
    programs = beside(job.output, "programs")
    with _tidied(f"programs at {programs}", partial(delete_programs, clients, job.output), say):
        upload_programs(clients, job.programs, job.output)
        for state in _states(clients, job, where, say):
            said = f": {state.said}" if state.said else ""
            say(f"cluster {state.cluster}, job {state.step}{said}")
        top = top_counts(output_lines(clients, job.output))
    return Finished(str(job.output), top)


def _states(
    clients: AwsClients, job: emr.StreamingJob, where: Where, say: Say
) -> Iterator[emr.State]:
    delay_s = look_s(clients)
    if where.application is not None:
        run = emr_serverless.start(clients, job, where.application, delay_s)
        remove = partial(emr_serverless.remove, clients, run.application_id, delay_s)
        with (
            _tidied(f"application {run.application_id}", remove if run.is_own else None, say),
            _ended_if_broken_off(lambda: emr_serverless.end(clients, run), say),
        ):
            say(f"started run {run.run_id} of application {run.application_id}")
            yield from emr_serverless.wait(clients, run, job.logs, delay_s)
        return
    started = emr.start(clients, job, where.cluster or emr.Cluster())
    with _ended_if_broken_off(lambda: emr.end(clients, started), say):
        say(f"started step {started.step_id} of cluster {started.cluster_id}")
        yield from emr.wait(clients, started, delay_s)


@contextmanager
def _tidied(what: str, remove: Callable[[], object] | None, say: Say) -> Iterator[None]:
    """Remove what was made for a job once it has ended; what AWS says to that hides no failure."""
    try:
        yield
    except JobStillRuns:
        if remove is not None:
            say(f"kept, as it is still used: {what}")
        raise
    except BaseException:
        _try(f"left for you to delete, {what}", remove, say)
        raise
    _try(f"left for you to delete, {what}", remove, say)


def _try(if_not: str, do: Callable[[], object] | None, say: Say) -> None:
    if do is None:
        return
    try:
        do()
    except Exception as error:
        if not is_aws_failure(error):
            raise
        say(f"{if_not}: {classify(error)}")


@contextmanager
def _ended_if_broken_off(end: Callable[[], None], say: Say) -> Iterator[None]:
    """Leave nothing running that costs, whatever breaks the waiting off; a failure has ended it."""
    try:
        yield
    except JobFailed:
        raise
    except BaseException:
        say("broken off; ending it on AWS as well")
        _try("it cannot be ended, may still run, and costs", end, say)
        raise


def look_s(clients: AwsClients) -> float:
    """How often to look."""
    return STAND_IN_LOOK_S if is_stand_in(clients.settings.endpoint_of("emr")) else LOOK_S
