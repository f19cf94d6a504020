"""How a group stands: machines, rules, what it did and what it is doing."""

from typing import Any, NamedTuple

from thingtank.aws.clients import AwsClients
from thingtank.cloud.deployment.groups import activities_of, alarms_of, group_of
from thingtank.cloud.deployment.refreshes import refreshes_of


class Standing(NamedTuple):
    """How a group stands, in AWS's own words.

    Attributes:
        refreshes: replacements of its machines, the newest first, REFRESHES_MAX at most.
        activities: the newest first, ACTIVITIES_MAX at most.
    """

    group: dict[str, Any]
    refreshes: list[dict[str, Any]]
    policies: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    activities: list[dict[str, Any]]


def standing_of(clients: AwsClients, name: str) -> Standing:
    """How a group stands.

    Raises:
        NotDone: there is none.
    """
    group = group_of(clients, name)
    policies = clients.client("autoscaling").describe_policies(AutoScalingGroupName=name)
    found = policies["ScalingPolicies"]
    return Standing(
        group, refreshes_of(clients, name), found, alarms_of(clients, name, found),
        activities_of(clients, name),
    )  # fmt: skip
