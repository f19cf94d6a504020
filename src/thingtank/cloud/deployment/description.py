"""What a deployment is: a group of like machines, and the rules by which it grows and shrinks."""

import re
from typing import NamedTuple

from thingtank.cloud.errors import NotTaken
from thingtank.cloud.instances.plan import MachinePlan

BOOK, TARGET = "book", "target"
POLICIES = (BOOK, TARGET)
TEMPLATE, CONFIGURATION = "template", "configuration"
LAUNCHES = (TEMPLATE, CONFIGURATION)
SIZE_MAX = 1000  # machines; beyond it a number is a slip of the finger
MONTH_H = 730
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,99}\Z")  # takes a launch template, group and stack


def check_deployment_name(name: str) -> None:
    """Raises NotTaken where no deployment can have the name: EC2 takes `*` for any characters."""
    if not _NAME.match(name):
        raise NotTaken(
            f"{name!r} is no name for a deployment: 3 to 100 letters, digits and hyphens, the first"
            " a letter"
        )


class Policy(NamedTuple):
    """A rule of the chapter: beyond a load, so many machines more or less.

    Attributes:
        change: in machines; after it nothing more for `cooldown_s`.
        threshold_percent: of the group's mean processor load.
        missing: what minutes without data count as.
    """

    name: str
    change: int
    cooldown_s: int
    comparison: str
    threshold_percent: int
    missing: str


PERIOD_S = 60
PERIODS = 2
# Machines that are gone send no data: that must not grow the group, nor keep it from shrinking.
BOOK_POLICIES = (
    Policy("scale-up", 1, 180, "GreaterThanThreshold", 70, "notBreaching"),
    Policy("scale-down", -1, 180, "LessThanThreshold", 50, "missing"),
)


class Deployment(MachinePlan, frozen=True, kw_only=True):
    """A deployment; its name is that of the group, of what its machines start from, of the stack.

    Attributes:
        desired: machines at first; None for the fewest, and for what a group that is there has.
        policies: `book`, a machine more above 70 % and one less below 50 %; or `target`, as many
            as keep the load near `target_percent`.
        launch: `template`, or `configuration` for accounts that still may.
        target_groups: ARNs of load balancers' groups that machines join; for direct calls.
    """

    min_size: int = 1
    max_size: int = 2
    desired: int | None = None
    policies: str = BOOK
    target_percent: int = 60
    launch: str = TEMPLATE
    target_groups: tuple[str, ...] = ()

    @property
    def at_first(self) -> int:
        """How many machines a new group has."""
        return self.min_size if self.desired is None else self.desired

    def check(self) -> None:
        """Raises NotTaken where AWS would refuse it, or should."""
        check_deployment_name(self.name)
        if not 0 <= self.min_size <= self.at_first <= self.max_size <= SIZE_MAX:
            raise NotTaken(
                f"the sizes must be 0 <= min <= desired <= max <= {SIZE_MAX}; they are"
                f" {self.min_size}, {self.at_first}, {self.max_size}"
            )


class Estimate(NamedTuple):
    """How many machines it may come to."""

    at_first: int
    fewest: int
    most: int

    @property
    def hours(self) -> tuple[int, int]:
        """Machine hours in a month, at least and at most."""
        return self.fewest * MONTH_H, self.most * MONTH_H


def estimate_of(deployment: Deployment) -> Estimate:
    """The number of machines."""
    return Estimate(deployment.at_first, deployment.min_size, deployment.max_size)


def rules_of(deployment: Deployment) -> list[str]:
    """The rules by which the group changes, in words."""
    if deployment.policies == TARGET:
        return [f"as many as keep the processors near {deployment.target_percent} %"]
    return [
        f"{policy.change:+d} when the processors are"
        f" {'above' if policy.comparison.startswith('Greater') else 'below'}"
        f" {policy.threshold_percent} % for {PERIODS} x {PERIOD_S} s, then a pause of"
        f" {policy.cooldown_s} s"
        for policy in BOOK_POLICIES
    ]
