"""Waiting goes on over a connection that is lost for a while, and over nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from tests.stubbed_aws import StubbedAws

from thingtank.cloud.waiting import WaitFailed, wait, wait_until

Stubbed = Callable[..., StubbedAws]
AWAY = EndpointConnectionError(endpoint_url="https://rds.us-east-1.amazonaws.com/")


class FirstAway:
    """A client whose calls of one method are lost at first; all else is as it is."""

    def __init__(self, client: Any, method: str, lost_count: int) -> None:
        self._client, self._method, self.left = client, method, lost_count

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name != self._method:
            return found

        def call(**arguments: Any) -> Any:
            if self.left:
                self.left -= 1
                raise AWAY
            return found(**arguments)

        return call


def database(state: str) -> dict[str, Any]:
    return {"DBInstanceIdentifier": "tank", "DBInstanceStatus": state}


def test_a_lost_connection_does_not_end_a_wait_by_a_waiters_rules(stubbed: Stubbed) -> None:
    aws, told = stubbed("rds"), list[Any]()
    aws.answer("rds", "describe_db_instances", DBInstances=[database("creating")])
    aws.refuse("rds", "describe_db_instances", "Throttling", "Rate exceeded")
    aws.answer("rds", "describe_db_instances", DBInstances=[database("available")])
    client = FirstAway(aws.clients.client("rds"), "describe_db_instances", 2)
    answer = wait(client, "db_instance_available", told.append, DBInstanceIdentifier="tank")
    assert answer["DBInstances"][0]["DBInstanceStatus"] == "available"
    assert (client.left, len(told)) == (0, 2)


def test_a_failure_that_a_waiter_has_a_rule_for_is_none_to_be_patient_with(
    stubbed: Stubbed,
) -> None:
    aws = stubbed("rds")
    aws.answer("rds", "describe_db_instances", DBInstances=[database("failed")])
    with pytest.raises(WaitFailed, match="will not come"):
        wait(aws.clients.client("rds"), "db_instance_available", lambda _: None)


@pytest.mark.parametrize("code", ["AccessDenied", "InNoList"])
def test_a_refusal_ends_a_wait(stubbed: Stubbed, code: str) -> None:
    aws = stubbed("rds")
    aws.refuse("rds", "describe_db_instances", code, "no", 403)
    with pytest.raises(ClientError, match=code):
        wait(aws.clients.client("rds"), "db_instance_available", lambda _: None)


def test_a_lost_connection_does_not_end_a_wait_for_a_state() -> None:
    looks = iter(["CREATING", AWAY, AWAY, "ACTIVE"])

    def look() -> str:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return str(found)

    told: list[str] = []
    assert wait_until(look, ("ACTIVE",), told.append, "stream s", 0) == "ACTIVE"
    assert told == ["stream s: CREATING"]
