"""A group that is there made as a deployment describes it, its machines replaced where need be.

Sizes, policies and doors change at once. What machines start from is a new version of the launch
template, or a new launch configuration, and an instance refresh brings it to them. It can be given
again: what is as described already is passed over.
"""

from typing import Any

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import is_aws_failure
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.changes import (
    NONE,
    Difference,
    Door,
    doors_of,
    group_differences,
    in_words,
    launch_differences,
    policy_differences,
    surplus_policies,
    wanted_doors,
)
from thingtank.cloud.deployment.description import CONFIGURATION, TARGET, Deployment
from thingtank.cloud.deployment.direct import looked_up, make_policies
from thingtank.cloud.deployment.groups import (
    activities_of,
    alarms_of,
    find_group,
    refuse_others,
    wait_in_service,
)
from thingtank.cloud.deployment.refreshes import (
    Pace,
    progress_of,
    refresh_going_on,
    start_refresh,
    wait_for_refresh,
)
from thingtank.cloud.deployment.starts import (
    Version,
    configuration_differences,
    make_configuration,
    make_template,
    make_version,
    versions_of,
)
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances import access
from thingtank.cloud.instances.launch import group_name, have_key, own_group
from thingtank.cloud.making import Making
from thingtank.cloud.progress import Progress

_STACK_TAG = "aws:cloudformation:stack-name"


def own_group_to_change(clients: AwsClients, name: str) -> dict[str, Any] | None:
    """The group of a name that can be changed by direct calls; None where there is none.

    Raises:
        NotDone: it is another's, a stack's, or its machines are being replaced.
    """
    group = find_group(clients, name)
    if group is None:
        return None
    tags = {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
    if _STACK_TAG in tags:
        raise NotDone(
            f"the group {name!r} is a part of the stack {tags[_STACK_TAG]!r}, which alone changes"
            " it: give --stack as well"
        )
    refuse_others(group)
    refresh = refresh_going_on(clients, name)
    if refresh is not None:
        raise NotDone(
            f"the group {name!r} is {progress_of(refresh)}: deploy it again when that has ended."
            f" `thingtank cloud status {name}` shows it, `thingtank cloud rollback {name}` goes"
            " back"
        )
    return group


class Redeployment:
    """What is to change of a group, and changing it.

    Attributes:
        differences: all that is not as described.
        replaced_count: machines that are replaced; what is on their disks goes with them.
        keeps_template: whether a launch configuration is asked for, and the group keeps its
            template, as AWS itself advises.

    Raises:
        NotDone: as asked it cannot be.
        botocore's exceptions: see `aws.failures.classify`.
    """

    def __init__(self, clients: AwsClients, deployment: Deployment, group: dict[str, Any]) -> None:
        """Look; nothing is changed.

        Args:
            group: as `own_group_to_change` has it.
        """
        deployment.check()
        self._clients = clients
        self._deployment = deployment
        self._group = group
        self._image, self._zones = looked_up(clients, deployment)
        self._doors = self._own_doors()
        self._has, self._latest = self._versions()
        self.keeps_template = self._has is not None and deployment.launch == CONFIGURATION
        self._launch = self._launch_differences()
        subnets = [zone.subnet_id for zone in self._zones]
        self._sizes = group_differences(deployment, group, subnets)
        self._targets = set(deployment.target_groups), set(group.get("TargetGroupARNs", []))
        name = deployment.name
        pages = clients.client("autoscaling").get_paginator("describe_policies")
        self._policies = [
            policy
            for page in pages.paginate(AutoScalingGroupName=name)
            for policy in page["ScalingPolicies"]
        ]
        self._alarms = alarms_of(clients, name, [])
        self._rules = list(policy_differences(deployment, self._policies, self._alarms))
        machines = group["Instances"]
        self.replaced_count = len(machines) if self._launch else 0
        self.differences = [*self._launch, *(each for each, _ in self._sizes.values())]
        self.differences += [*self._target_differences(), *self._rules, *self._door_differences()]

    def _own_doors(self) -> set[Door]:
        """Which networks its own security group lets in; of another's only what is wanted."""
        self._security_group: dict[str, Any] | None = None
        if self._deployment.groups:
            return set()
        name, vpc_id = group_name(self._deployment.name), self._zones[0].vpc_id
        self._security_group = access.group_named(self._clients.client("ec2"), name, vpc_id)
        doors = doors_of(self._security_group or {})
        is_ours = APP_TAG in (self._security_group or {}).get("Tags", [])
        return doors if is_ours else doors & wanted_doors(self._deployment)

    def _versions(self) -> tuple[Version | None, Version | None]:
        template = self._group.get("LaunchTemplate")
        if template:
            return versions_of(self._clients, template)
        if not self._group.get("LaunchConfigurationName"):
            raise NotDone(
                f"the group {self._deployment.name!r} starts its machines from several types, which"
                " was not done here: change it where that was done, or destroy it"
            )
        return None, None

    def _launch_differences(self) -> list[Difference]:
        """What machines start from otherwise; else how many started from something else."""
        deployment = self._deployment
        groups = deployment.groups or ((self._security_group or {}).get("GroupId", NONE),)
        had = self._group.get("LaunchConfigurationName", "")
        if self._has is not None:
            data = parts.launch_template_data(deployment, self._image, groups)
            found = list(launch_differences(data, self._has.data))
        elif deployment.launch == CONFIGURATION:
            request = parts.launch_configuration(deployment, self._image, groups)
            found = configuration_differences(request, had)
        else:
            to = f"launch template {deployment.name}"
            found = [Difference("starts from", f"launch configuration {had}", to)]
        outdated = sum(map(self._is_outdated, self._group["Instances"]))
        if not found and outdated:
            found = [Difference("machines that started from others", str(outdated), "0")]
        return found

    def _is_outdated(self, machine: dict[str, Any]) -> bool:
        """Whether a machine is not of the group's version; not where nobody says so."""
        number = str(machine.get("LaunchTemplate", {}).get("Version", ""))
        if self._has is not None:
            return number.isdecimal() and number != str(self._has.number)
        had = machine.get("LaunchConfigurationName", "")
        return bool(had and had != self._group["LaunchConfigurationName"])

    def _target_differences(self) -> list[Difference]:
        wanted, has = self._targets
        new = [Difference("target group", NONE, each) for each in sorted(wanted - has)]
        return new + [Difference("target group", each, NONE) for each in sorted(has - wanted)]

    def _door_differences(self) -> list[Difference]:
        if self._deployment.groups:
            return []
        wanted = wanted_doors(self._deployment)
        return [
            *(Difference("lets in", NONE, each) for each in in_words(wanted - self._doors)),
            *(Difference("lets in", each, NONE) for each in in_words(self._doors - wanted)),
        ]

    def run(self, told: Progress, pace: Pace, *, is_waited_for: bool = True) -> None:
        """Change what is to be changed; wait for its end unless told not to.

        Raises:
            NotDone: machines are not replaced, or do not come; says how they are then.
            botocore's exceptions: see `aws.failures.classify`.
        """
        name = self._deployment.name
        before = [each["ActivityId"] for each in activities_of(self._clients, name)]
        again = "give the same command again: it goes on from there"
        with Making(told, again) as making:
            have_key(self._clients, self._deployment, making)
            refresh_id = self._roll_out(pace, making)
        try:
            self._change_group(told)
            self._change_policies(told)
            self._close_doors(told)
        except Exception as error:
            if is_aws_failure(error):
                told.did(f"Not all of {name} is as described yet; {again}")
            raise
        if refresh_id and is_waited_for:
            wait_for_refresh(self._clients, name, refresh_id, told)
            told.did(f"Replaced the machines of {name}")
        self._delete_old_configuration(told)
        if is_waited_for:
            wait_in_service(self._clients, name, told, before)

    def _roll_out(self, pace: Pace, making: Making) -> str:
        """Bring what machines start from; the id of a refresh, blank where none is needed."""
        clients, deployment = self._clients, self._deployment
        groups = deployment.groups or (self._open_doors(making),)
        if not self._launch:
            return ""
        autoscaling, name = clients.client("autoscaling"), deployment.name
        if self._group["Instances"]:
            self._pin()
        start = self._start(groups, making)
        if not self._group["Instances"]:
            autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **start)
            making.told.did("There is no machine to replace; those to come start from it")
            return ""
        if "LaunchTemplate" in start:
            refresh_id = start_refresh(
                clients, name, pace, start["LaunchTemplate"], can_roll_back=self._has is not None
            )
        else:
            self._start_from(start, making)
            refresh_id = start_refresh(clients, name, pace)
        making.told.did(f"Replacing machines of {name}: {len(self._group['Instances'])}")
        return refresh_id

    def _open_doors(self, making: Making) -> str:
        """Let in who is to come by now; the id of its own security group."""
        if self._security_group is None:
            vpc_id = self._zones[0].vpc_id
            return own_group(self._clients, self._deployment, vpc_id, making)
        own_id = str(self._security_group["GroupId"])
        new = wanted_doors(self._deployment) - self._doors
        access.let_in(self._clients, own_id, [door.permission for door in new])
        for each in in_words(new):
            making.told.did(f"Lets in {each}")
        return own_id

    def _start(self, groups: tuple[str, ...], making: Making) -> dict[str, Any]:
        """What machines are to start from, as an argument of the group."""
        clients, deployment = self._clients, self._deployment
        if self._has is None and deployment.launch == CONFIGURATION:
            request = parts.launch_configuration(deployment, self._image, groups)
            return make_configuration(clients, request, making)
        data = parts.launch_template_data(deployment, self._image, groups)
        if self._has is not None and not list(launch_differences(data, self._has.data)):
            return {"LaunchTemplate": self._has.reference}
        if self._latest is None:
            made = make_template(clients, deployment.name, data, making)
        else:
            made = make_version(clients, self._latest, data, making)
        return {"LaunchTemplate": made.reference}

    def _pin(self) -> None:
        """Have the group name its version by number: AWS goes back from no other."""
        has = self._has
        if has is not None and self._group["LaunchTemplate"].get("Version") != str(has.number):
            self._clients.client("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=self._deployment.name, LaunchTemplate=has.reference
            )

    def _start_from(self, configuration: dict[str, Any], making: Making) -> None:
        """Have the group start machines from a launch configuration, which no refresh can do."""
        autoscaling, name = self._clients.client("autoscaling"), self._deployment.name
        had = self._group["LaunchConfigurationName"]
        if configuration["LaunchConfigurationName"] == had:
            return
        autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **configuration)

        def take_back() -> None:
            autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=name, LaunchConfigurationName=had
            )

        making.made("its use by the group", take_back)

    def _change_group(self, told: Progress) -> None:
        autoscaling, name = self._clients.client("autoscaling"), self._deployment.name
        if self._sizes:
            autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=name, **{key: value for key, (_, value) in self._sizes.items()}
            )
            for difference, _ in self._sizes.values():
                told.did(f"{difference.part}: {difference.is_now} -> {difference.will_be}")
        wanted, has = self._targets
        if new := sorted(wanted - has):
            autoscaling.attach_load_balancer_target_groups(
                AutoScalingGroupName=name, TargetGroupARNs=new
            )
            told.did(f"Joined target groups: {', '.join(new)}")
        if gone := sorted(has - wanted):
            autoscaling.detach_load_balancer_target_groups(
                AutoScalingGroupName=name, TargetGroupARNs=gone
            )
            told.did(f"Left target groups: {', '.join(gone)}")

    def _change_policies(self, told: Progress) -> None:
        if not self._rules:
            return
        deployment, name = self._deployment, self._deployment.name
        make_policies(self._clients, deployment, lambda what, _: told.did(f"Set {what}"))
        has = [policy["PolicyName"] for policy in self._policies]
        for each in surplus_policies(deployment, has):
            self._clients.client("autoscaling").delete_policy(
                AutoScalingGroupName=name, PolicyName=each
            )
            told.did(f"Deleted policy {each}")
        if deployment.policies == TARGET:
            ours = parts.own_alarm_names(name)
            gone = [each["AlarmName"] for each in self._alarms if each["AlarmName"] in ours]
            if gone:
                self._clients.client("cloudwatch").delete_alarms(AlarmNames=gone)
                told.did(f"Deleted alarms {', '.join(gone)}")

    def _close_doors(self, told: Progress) -> None:
        """Let in nobody else any more."""
        gone = self._doors - wanted_doors(self._deployment)
        if self._security_group is None or not gone:
            return
        self._clients.client("ec2").revoke_security_group_ingress(
            GroupId=self._security_group["GroupId"],
            IpPermissions=[door.permission for door in gone],
        )
        for each in in_words(gone):
            told.did(f"Lets in no more: {each}")

    def _delete_old_configuration(self, told: Progress) -> None:
        """Delete the launch configuration that the group had, if it is ours and none names it."""
        had = self._group.get("LaunchConfigurationName", "")
        name = self._deployment.name
        if not self._launch or not parts.is_configuration_of(name, had):
            return
        now = find_group(self._clients, name) or {}
        if now.get("LaunchConfigurationName") == had:
            return
        self._clients.client("autoscaling").delete_launch_configuration(LaunchConfigurationName=had)
        told.did(f"Deleted launch configuration {had}")
