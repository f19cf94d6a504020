"""What becomes of what was made for a job, however it ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cloud import emr, emr_job, emr_serverless
from thingtank.cloud.emr_job import Where, run_job
from thingtank.cloud.job_files import JobFailed, JobStillRuns, Programs, job_address

JOB = emr.StreamingJob("Count", Programs("cat", "cat"), [], job_address("s3://mybucket/out/"))
AWAY = EndpointConnectionError(endpoint_url="https://s3.us-east-1.amazonaws.com/")
ON_CLUSTER = Where(cluster=emr.Cluster())
SERVERLESS = Where(application=emr_serverless.Application("arn:aws:iam::1:role/x"))


class World:
    """Stands for AWS: keeps what it is asked for, and fails as it is told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.end: BaseException | None = None
        self.is_away = False
        for module, name, result in (
            (emr_job, "check_files", None),
            (emr_job, "upload_programs", None),
            (emr_job, "output_lines", iter(())),
            (emr_job, "delete_programs", None),
            (emr, "check_cluster", None),
            (emr, "start", emr.Started("j-1", "s-1", True)),
            (emr, "end", None),
            (emr_serverless, "start", emr_serverless.StartedRun("a-1", "r-1", True)),
            (emr_serverless, "end", None),
            (emr_serverless, "remove", None),
        ):
            patch.setattr(module, name, self._keeper(module.__name__, name, result))
        for module in (emr, emr_serverless):
            patch.setattr(module, "wait", self._wait)

    def _keeper(self, module: str, name: str, result: Any) -> Any:
        def keep(*_: Any) -> Any:
            self.asked.append(f"{module.rpartition('.')[2]}.{name}")
            if self.is_away and name in ("delete_programs", "remove"):
                raise AWAY
            return result

        return keep

    def _wait(self, *_: Any) -> Iterator[emr.State]:
        yield emr.State("RUNNING", "RUNNING")
        if self.end is not None:
            raise self.end


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
def clients() -> Iterator[AwsClients]:
    found = AwsClients(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9"))
    yield found
    found.close()


def test_a_job_that_takes_too_long_keeps_what_it_still_reads(
    world: World, clients: AwsClients
) -> None:
    world.end = JobStillRuns("it still runs, and costs")
    with pytest.raises(JobStillRuns):
        run_job(clients, JOB, ON_CLUSTER, world.told.append)
    assert "emr_job.delete_programs" not in world.asked
    assert "emr.end" not in world.asked
    assert "kept, as it is still used: programs at s3://mybucket/out.programs/" in world.told


def test_a_run_of_serverless_that_takes_too_long_keeps_its_application(
    world: World, clients: AwsClients
) -> None:
    world.end = JobStillRuns("it still runs, and costs")
    with pytest.raises(JobStillRuns):
        run_job(clients, JOB, SERVERLESS, world.told.append)
    assert not {"emr_serverless.remove", "emr_job.delete_programs"} & set(world.asked)
    assert "kept, as it is still used: application a-1" in world.told


@pytest.mark.parametrize("where", [ON_CLUSTER, SERVERLESS])
def test_why_a_job_failed_is_said_also_where_aws_is_away_afterwards(
    world: World, clients: AwsClients, where: Where
) -> None:
    world.end, world.is_away = JobFailed("step s-1 is FAILED"), True
    with pytest.raises(JobFailed, match="step s-1 is FAILED"):
        run_job(clients, JOB, where, world.told.append)
    left = [line for line in world.told if line.startswith("left for you to delete, programs at")]
    assert len(left) == 1


def test_a_job_that_is_broken_off_is_ended_and_leaves_nothing(
    world: World, clients: AwsClients
) -> None:
    world.end = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_job(clients, JOB, SERVERLESS, world.told.append)
    assert world.asked[-3:] == [
        "emr_serverless.end", "emr_serverless.remove", "emr_job.delete_programs",
    ]  # fmt: skip


def test_programs_that_were_brought_only_in_part_go_again(
    world: World, clients: AwsClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(emr_job, "upload_programs", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_job(clients, JOB, ON_CLUSTER, world.told.append)
    assert world.asked[-1] == "emr_job.delete_programs"
