"""Which services answer, for whom, and what this identity may not do there."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.tank.failures import Failure


class Probe(NamedTuple):
    """One call that changes nothing, and the permission that it needs."""

    service: str
    what_for: str
    method: str
    arguments: dict[str, Any]
    action: str


PROBES = (
    Probe("ec2", "single machines", "describe_instances", {"MaxResults": 5},
          "ec2:DescribeInstances"),
    Probe("autoscaling", "groups of machines", "describe_auto_scaling_groups", {"MaxRecords": 1},
          "autoscaling:DescribeAutoScalingGroups"),
    Probe("cloudwatch", "alarms of groups", "describe_alarms", {"MaxRecords": 1},
          "cloudwatch:DescribeAlarms"),
    Probe("s3", "cold archive, uploads, backups", "list_buckets", {}, "s3:ListAllMyBuckets"),
    Probe("rds", "the shared database", "describe_db_instances", {"MaxRecords": 20},
          "rds:DescribeDBInstances"),
    Probe("dynamodb", "latest state and messages", "list_tables", {"Limit": 1},
          "dynamodb:ListTables"),
    Probe("kinesis", "streams out and in", "list_streams", {"Limit": 1}, "kinesis:ListStreams"),
    Probe("sqs", "queues out and in", "list_queues", {"MaxResults": 1}, "sqs:ListQueues"),
    Probe("emr", "batch jobs", "list_clusters", {}, "elasticmapreduce:ListClusters"),
)  # fmt: skip


class Identity(NamedTuple):
    """Who AWS takes us for."""

    account: str
    arn: str


class Answer(NamedTuple):
    """What became of a probe; `failure` is None when the service answered."""

    probe: Probe
    failure: Failure | None


def identity_of(clients: AwsClients) -> Identity:
    """Who AWS takes us for.

    Raises:
        AwsMissing, and botocore's exceptions: see `aws.failures.classify`.
    """
    found = clients.client("sts").get_caller_identity()
    return Identity(found["Account"], found["Arn"])


def found_identity(clients: AwsClients) -> Identity | None:
    """Who AWS takes us for; None where it does not say, and settings name single services.

    These may be all that there is, such as an S3 of one's own.

    Raises:
        As `identity_of`.
    """
    try:
        return identity_of(clients)
    except Exception as error:
        if not is_aws_failure(error) or not clients.settings.endpoints:
            raise
        return None


def where_of(clients: AwsClients) -> str:
    """Where services are, in words."""
    settings = clients.settings
    if settings.endpoint_url:
        return settings.endpoint_url
    if settings.endpoints:
        return ", ".join(f"{name}: {url}" for name, url in sorted(settings.endpoints.items()))
    return f"AWS, {clients.client('sts').meta.region_name}"


def answers(clients: AwsClients, *, are_all: bool = True) -> Iterator[Answer]:
    """Ask each service for something that changes nothing.

    Args:
        are_all: not only those that the setting `aws.endpoints` names.
    """
    for probe in PROBES:
        if not are_all and probe.service not in clients.settings.endpoints:
            continue
        try:
            getattr(clients.client(probe.service), probe.method)(**probe.arguments)
        except Exception as error:
            if not is_aws_failure(error):
                raise
            yield Answer(probe, classify(error))
        else:
            yield Answer(probe, None)
