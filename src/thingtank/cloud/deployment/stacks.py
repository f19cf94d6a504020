"""A deployment as a CloudFormation stack: shown and made by change sets, followed by its events.

Source: AWS, the CloudFormation API.
"""

import uuid
from collections.abc import Collection
from typing import Any, NamedTuple

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import is_aws_failure
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.deployment.template import parameter_values, text_of
from thingtank.cloud.deployment.template_services import standing_costs
from thingtank.cloud.errors import NotDone
from thingtank.cloud.progress import Progress
from thingtank.cloud.waiting import WaitFailed, wait

# What a template of ours leaves behind, by its name there, and how each is deleted.
_KEPT = {
    "Bucket": "bucket {id}, with what is in it: `aws s3 rb --force s3://{id}`",
    "Database": "the last snapshot of database {id}: `aws rds delete-db-snapshot`",
}
_NOTHING_TO_CHANGE = ("didn't contain changes", "No updates are to be performed")
_UNMADE = "REVIEW_IN_PROGRESS"  # only a change set was ever made for it


class Change(NamedTuple):
    """What a change set does to one resource."""

    action: str
    name: str
    kind: str


def find_stack(clients: AwsClients, name: str) -> dict[str, Any] | None:
    """The stack of a name that has not been deleted."""
    from botocore.exceptions import ClientError

    try:
        found = clients.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return None
    there = [stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"]
    return dict(there[0]) if there else None


def is_ours(stack: dict[str, Any]) -> bool:
    """Whether Thing Tank made it."""
    return APP_TAG in stack.get("Tags", [])


class ChangeSet:
    """A change set, from `with ChangeSet(…) as changes`; deleted at the end if it was not run.

    Args:
        given: the names of parameters that were given; see `template.parameter_values`.

    Attributes:
        standing: what the stack costs besides machines, in words.

    Raises:
        NotDone: AWS refuses the template, or the stack cannot be changed as it stands.
    """

    def __init__(
        self,
        clients: AwsClients,
        name: str,
        template: dict[str, Any],
        told: Progress,
        given: Collection[str] = (),
    ) -> None:
        self._clients = clients
        self._client = clients.client("cloudformation")
        self._name = name
        self._template = template
        self._told = told
        self._given = given
        self._set_name = f"thingtank-{uuid.uuid4().hex}"
        self._stack_id = ""
        self._is_run = False
        self.is_new = True
        self.changes: list[Change] = []
        self.standing: list[str] = []

    def __enter__(self) -> "ChangeSet":
        stack = find_stack(self._clients, self._name)
        if stack is not None and stack["StackStatus"] != _UNMADE:
            self.is_new = False
            if not is_ours(stack):
                raise NotDone(
                    f"there is a stack {self._name!r} without the tag app=thingtank; choose another"
                    " --name"
                )
        had = {
            each["ParameterKey"]: each.get("ParameterValue", "")
            for each in (stack or {}).get("Parameters", [])
        }
        values = parameter_values(self._template, self._given, had)
        new = {
            each["ParameterKey"]: each["ParameterValue"]
            for each in values
            if "ParameterValue" in each
        }
        self.standing = standing_costs(had | new)
        self._client.validate_template(TemplateBody=text_of(self._template))
        on_failure = {"OnStackFailure": "DELETE"} if self.is_new else {}
        made = self._client.create_change_set(
            StackName=self._name,
            ChangeSetName=self._set_name,
            ChangeSetType="CREATE" if self.is_new else "UPDATE",
            TemplateBody=text_of(self._template),
            Parameters=values,
            Capabilities=["CAPABILITY_IAM"],
            Tags=[APP_TAG],
            Description="Thing Tank",
            **on_failure,
        )
        self._stack_id = made["StackId"]
        try:
            self._read()
        except BaseException:
            self._forget()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_run:
            self._forget()

    def run(self, *, is_waited_for: bool = True) -> None:
        """Do it, and wait unless told not to, saying what CloudFormation does.

        Raises:
            WaitFailed: it did not succeed, and CloudFormation takes it back; says why.
            botocore's exceptions: it is begun, maybe; says so.
        """
        events = Events(self._clients, self._stack_id, self._told)
        self._is_run = True
        try:
            self._client.execute_change_set(StackName=self._name, ChangeSetName=self._set_name)
            if is_waited_for:
                waiter = "stack_create_complete" if self.is_new else "stack_update_complete"
                follow(self._clients, self._stack_id, waiter, events)
        except Exception as error:
            if is_aws_failure(error):
                self._told.did(
                    f"The stack {self._name} was begun, and what it has made may be there, and"
                    f" cost: `thingtank cloud status {self._name}` shows it, `thingtank cloud"
                    f" destroy {self._name}` ends it"
                )
            raise

    def _read(self) -> None:
        where = {"StackName": self._name, "ChangeSetName": self._set_name}
        try:
            wait(self._client, "change_set_create_complete", lambda _: None, **where)
        except WaitFailed as error:
            reason = str(error.response.get("StatusReason", ""))
            if any(words in reason for words in _NOTHING_TO_CHANGE):
                return
            raise NotDone(f"CloudFormation refuses the change: {reason or error}") from None
        pages = self._client.get_paginator("describe_change_set").paginate(**where)
        for page in pages:
            for each in page.get("Changes", []):
                change = each["ResourceChange"]
                self.changes.append(
                    Change(change["Action"], change["LogicalResourceId"], change["ResourceType"])
                )

    def _forget(self) -> None:
        self._client.delete_change_set(StackName=self._name, ChangeSetName=self._set_name)
        stack = find_stack(self._clients, self._name)
        if stack is not None and stack["StackStatus"] == _UNMADE:
            self._client.delete_stack(StackName=self._name)


class Events:
    """What a stack does, each event said once, oldest first."""

    def __init__(self, clients: AwsClients, stack_id: str, told: Progress) -> None:
        self._client = clients.client("cloudformation")
        self._stack_id = stack_id
        self._told = told
        self._seen: set[str] = set()
        self.failures: list[str] = []
        self._read(told=None)

    def tell(self, _: dict[str, Any] | None = None) -> None:
        """Say those that are new."""
        self._read(told=self._told)

    def _read(self, told: Progress | None) -> None:
        from botocore.exceptions import ClientError

        try:
            page = self._client.describe_stack_events(StackName=self._stack_id)
        except ClientError as error:  # there is none yet, or none any more
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return
        fresh = [each for each in page["StackEvents"] if each["EventId"] not in self._seen]
        for event in reversed(fresh):
            self._seen.add(event["EventId"])
            if told is not None:
                self._say(told, event)

    def _say(self, told: Progress, event: dict[str, Any]) -> None:
        status, reason = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
        line = f"{status} {event.get('LogicalResourceId', '')}"
        if status.endswith("FAILED"):
            self.failures.append(f"{event.get('LogicalResourceId', '')}: {reason}")
            line = f"{line}: {reason}"
        if status.endswith("IN_PROGRESS"):
            told.waits(line)
        else:
            told.did(line)


def follow(clients: AwsClients, stack_id: str, waiter: str, events: Events) -> None:
    """Wait for the end of what a stack does.

    Raises:
        WaitFailed: with the first failure that CloudFormation states.
    """
    client = clients.client("cloudformation")
    try:
        wait(client, waiter, events.tell, StackName=stack_id)
    except WaitFailed as error:
        events.tell()
        first = f" First of all, {events.failures[0]}" if events.failures else ""
        raise WaitFailed(f"{error}.{first}", error.response) from None
    events.tell()


def outputs_of(stack: dict[str, Any]) -> dict[str, str]:
    """What a stack tells of itself, by name."""
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def resources_of(clients: AwsClients, name: str) -> dict[str, str]:
    """The ids of what a stack has, by their names in its template."""
    pages = clients.client("cloudformation").get_paginator("list_stack_resources")
    return {
        each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
        for page in pages.paginate(StackName=name)
        for each in page["StackResourceSummaries"]
        if each["ResourceStatus"] != "DELETE_COMPLETE"
    }


def delete_stack(clients: AwsClients, stack: dict[str, Any], told: Progress) -> list[str]:
    """Delete a stack, and wait.

    Returns:
        What stays, in words.

    Raises:
        WaitFailed: something cannot be deleted; says what.
    """
    resources = resources_of(clients, stack["StackName"])
    events = Events(clients, stack["StackId"], told)
    clients.client("cloudformation").delete_stack(StackName=stack["StackName"])
    # By its id: a deleted stack has no name any more.
    follow(clients, stack["StackId"], "stack_delete_complete", events)
    return [
        words.format(id=resources[name]) for name, words in _KEPT.items() if resources.get(name)
    ]
