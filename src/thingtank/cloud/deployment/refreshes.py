"""Instance refreshes: the machines of a group are replaced by new ones, some at a time.

Source: AWS, EC2 Auto Scaling, "Use an instance refresh to update instances", "Undo changes with a
rollback".
"""

from functools import partial
from typing import Any, NamedTuple

from thingtank.aws.clients import AwsClients
from thingtank.cloud.deployment.groups import PAUSE_S, looked, own_group_of
from thingtank.cloud.errors import NotDone
from thingtank.cloud.progress import Progress
from thingtank.cloud.stand_in_gaps import is_lacking
from thingtank.cloud.waiting import turns

TURNS_MAX = 720  # two hours
REFRESHES_MAX = 3  # that are shown
GOING_ON = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
SUCCESSFUL, ROLLED_BACK = "Successful", "RollbackSuccessful"
_ONE_MORE_PERCENT = 110  # of a small group it is one machine


class Pace(NamedTuple):
    """How fast machines are replaced.

    Attributes:
        min_healthy_percent: of the group's machines that stay in service; at 100 a new one is
            started before an old one ends.
        warm_up_s: from when a machine runs until the next one is replaced.
    """

    min_healthy_percent: int = 100
    warm_up_s: int = 300


def preferences_of(pace: Pace, *, can_roll_back: bool) -> dict[str, Any]:
    """A pace as Auto Scaling has it."""
    found: dict[str, Any] = {
        "MinHealthyPercentage": pace.min_healthy_percent,
        "InstanceWarmup": pace.warm_up_s,
    }
    if pace.min_healthy_percent == 100:
        found["MaxHealthyPercentage"] = _ONE_MORE_PERCENT
    if can_roll_back:
        found |= {"SkipMatching": True, "AutoRollback": True}
    return found


def start_refresh(
    clients: AwsClients,
    name: str,
    pace: Pace,
    template: dict[str, str] | None = None,
    *,
    can_roll_back: bool = False,
) -> str:
    """Have the machines of a group replaced.

    Args:
        template: the launch template and its version that the group has once all are replaced.
            None for what the group has already.
        can_roll_back: whether AWS is to go back by itself if it fails; not where the group has a
            launch configuration.

    Returns:
        The id of the refresh.

    Raises:
        NotDone: a stand-in has no instance refresh.
        botocore's exceptions: also when one goes on.
    """
    wanted = {"DesiredConfiguration": {"LaunchTemplate": template}} if template else {}
    autoscaling = clients.client("autoscaling")
    try:
        made = autoscaling.start_instance_refresh(
            AutoScalingGroupName=name,
            Strategy="Rolling",
            Preferences=preferences_of(pace, can_roll_back=can_roll_back),
            **wanted,
        )
    except Exception as error:
        if not is_lacking(autoscaling, error):
            raise
        raise NotDone(
            f"The stand-in at {autoscaling.meta.endpoint_url} has no instance refresh, which AWS"
            f" has: the machines of {name} stay as they are, and new ones start as described"
        ) from None  # what has caused it would be said instead
    return str(made["InstanceRefreshId"])


def refreshes_of(clients: AwsClients, name: str) -> list[dict[str, Any]]:
    """What became of a group's last refreshes, the newest first, REFRESHES_MAX at most."""
    autoscaling = clients.client("autoscaling")
    try:
        found = autoscaling.describe_instance_refreshes(
            AutoScalingGroupName=name, MaxRecords=REFRESHES_MAX
        )["InstanceRefreshes"]
    except Exception as error:
        if not is_lacking(autoscaling, error):
            raise
        return []
    return list(found[:REFRESHES_MAX])


def refresh_going_on(clients: AwsClients, name: str) -> dict[str, Any] | None:
    """The refresh that goes on; there is at most one."""
    found = refreshes_of(clients, name)
    return next((each for each in found if each["Status"] in GOING_ON), None)


def wait_for_refresh(
    clients: AwsClients, name: str, refresh_id: str, told: Progress, wanted: str = SUCCESSFUL
) -> None:
    """Wait for the end of a refresh.

    Args:
        wanted: the status that is success.

    Raises:
        NotDone: it ended otherwise; says how the machines are then. Or it still goes on after two
            hours.
    """
    autoscaling = clients.client("autoscaling")
    look = partial(_look, autoscaling, name, refresh_id)
    for _ in turns(autoscaling, PAUSE_S, TURNS_MAX):
        found = looked(clients, look)
        if found["Status"] == wanted:
            return
        if found["Status"] not in GOING_ON:
            raise NotDone(_why(name, found))
        told.waits(f"{name}: {progress_of(found)}")
    raise NotDone(
        f"the machines of {name} are not all replaced after {PAUSE_S * TURNS_MAX / 3600:.0f} h, and"
        f" AWS goes on: `thingtank cloud status {name}` shows it"
    )


def _look(autoscaling: Any, name: str, refresh_id: str) -> dict[str, Any]:
    found = autoscaling.describe_instance_refreshes(
        AutoScalingGroupName=name, InstanceRefreshIds=[refresh_id]
    )["InstanceRefreshes"]
    if not found:
        raise NotDone(f"AWS tells nothing of the instance refresh {refresh_id} of {name} any more")
    return dict(found[0])


def progress_of(refresh: dict[str, Any]) -> str:
    """How far a refresh is, in words."""
    verb = "going back" if refresh["Status"] == "RollbackInProgress" else "replacing machines"
    left = refresh.get("InstancesToUpdate")
    to_go = "" if left is None else f", machines to go: {left}"
    return f"{verb}, {refresh.get('PercentageComplete', 0)} %{to_go}"


_ENDS = {
    "Failed": "the machines of {name} could not all be replaced",
    "Cancelled": "somebody has ended it: of {name} some machines are new, some are not",
    ROLLED_BACK: "the machines of {name} are as they were before: AWS has gone back",
    "RollbackFailed": "AWS could not go back: of {name} some machines are new, some are not",
    SUCCESSFUL: "it was too late to go back: all machines of {name} are new ones",
}  # fmt: skip


def _why(name: str, refresh: dict[str, Any]) -> str:
    """How a refresh ended, why, and what to do."""
    status = refresh["Status"]
    ended = _ENDS.get(status, f"the instance refresh of {{name}} is {status}").format(name=name)
    details = refresh.get("RollbackDetails", {})
    reason = str(details.get("RollbackReason") or refresh.get("StatusReason") or "").strip()
    says = f". AWS says: {reason.rstrip('.')}" if reason else ""
    return (
        f"{ended}{says}. `thingtank cloud status {name}` shows it; deploying again, as it is to be,"
        " goes on from there"
    )


def roll_back(clients: AwsClients, name: str, told: Progress, *, is_waited_for: bool) -> None:
    """Stop a refresh that goes on, and have its machines replaced by such as were there before.

    Raises:
        NotDone: none goes on, or it is one that has no way back; or the way back failed.
    """
    from botocore.exceptions import ClientError

    own_group_of(clients, name)
    autoscaling = clients.client("autoscaling")
    try:
        made = autoscaling.rollback_instance_refresh(AutoScalingGroupName=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ActiveInstanceRefreshNotFound":
            raise NotDone(
                f"no machines of {name} are being replaced, so there is nothing to go back from;"
                " deploy it again as it was"
            ) from None
        if code == "IrreversibleInstanceRefresh":
            raise NotDone(
                f"AWS has no way back for {name}, as for all groups with a launch configuration."
                " This stops it where it is: aws autoscaling cancel-instance-refresh"
                f" --auto-scaling-group-name {name}"
            ) from None
        raise
    told.did(f"Going back: the new machines of {name} are replaced by such as were there before")
    if is_waited_for:
        wait_for_refresh(clients, name, made["InstanceRefreshId"], told, wanted=ROLLED_BACK)
