"""Settings of AWS; section `aws` of the settings file."""

import difflib
import re
from urllib.parse import urlsplit

import msgspec

CONNECTIONS_MAX = 1000
SERVICES = (
    "autoscaling", "cloudformation", "cloudwatch", "dynamodb", "ec2", "emr", "emr-serverless",
    "iam", "kinesis", "rds", "s3", "secretsmanager", "sqs", "ssm", "sts",
)  # fmt: skip

_REGION = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # as botocore


class AwsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which account and region, or which stand-in.

    No keys: they come from where all of AWS's programs look (environment, `~/.aws`, SSO, the
    role of the machine).

    Attributes:
        region: such as `eu-central-1`; blank for the one of the profile or the environment.
        profile: a section of `~/.aws/config`; blank for the usual one.
        endpoint_url: where all services are instead of AWS, such as `http://127.0.0.1:4566` of
            `thingtank cloud local`; blank for AWS.
        endpoints: where single services are, by the name that boto3 has for each, such as
            `{s3 = "http://127.0.0.1:8333"}`.
        connections_max: to each service at one time.
    """

    region: str = ""
    profile: str = ""
    endpoint_url: str = ""
    endpoints: dict[str, str] = {}
    connections_max: int = 16

    def __post_init__(self) -> None:
        """Raises ValueError: what boto3 would not take, or never ask for."""
        if self.region and not _REGION.fullmatch(self.region):
            raise ValueError(
                f"`aws.region` must be letters, digits and hyphens, such as eu-central-1, not"
                f" `{self.region}`"
            )
        for service in self.endpoints:
            if service not in SERVICES:
                near = difflib.get_close_matches(service, SERVICES, 1, 0.5)
                hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(SERVICES)}"
                raise ValueError(
                    f"`aws.endpoints` names `{service}`, a service that is not used: {hint}"
                )
        for url in (self.endpoint_url, *self.endpoints.values()):
            if url and not is_endpoint(url):
                # Not told: a password may be in it.
                raise ValueError("an address of a service must be like http://127.0.0.1:4566")
        if not 1 <= self.connections_max <= CONNECTIONS_MAX:
            raise ValueError(
                f"`connections_max` must be within 1 and {CONNECTIONS_MAX}, not"
                f" {self.connections_max}"
            )

    def endpoint_of(self, service: str) -> str:
        """Where a service is, blank for AWS."""
        return self.endpoints.get(service) or self.endpoint_url


def is_endpoint(url: str) -> bool:
    """Whether a service can be at an address."""
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
