"""Calls that a stand-in does not know although AWS does: what can do without goes on."""

from typing import Any

from thingtank.aws.clients import is_stand_in
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.tank.failures import FailureKind

_NOT_KNOWN = ("InvalidAction", "NotImplemented", "ResponseParserError")


def is_lacking(client: Any, error: BaseException) -> bool:
    """Whether a call failed because a stand-in has no such; never of AWS itself.

    MiniStack says so; moto answers with a page of its own, or status 500.
    """
    if not is_aws_failure(error) or not is_stand_in(client.meta.endpoint_url):
        return False
    failure = classify(error)
    return failure.code in _NOT_KNOWN or failure.kind is FailureKind.UNKNOWN
