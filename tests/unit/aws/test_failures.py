"""What AWS's failures mean, by code; the table is that of its services' API references."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
    WaiterError,
)
from botocore.parsers import ResponseParserError

from thingtank.aws.failures import classify, is_aws_failure, is_unknown_fault
from thingtank.tank.failures import FailureKind


def refused(code: str, message: str = "", status: int = 400) -> ClientError:
    error = {"Code": code, "Message": message}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, "Call")


BY_CODE = [
    ("ProvisionedThroughputExceededException", FailureKind.THROTTLED),
    ("Throttling", FailureKind.THROTTLED),
    ("ConditionalRequestConflict", FailureKind.THROTTLED),
    ("TransactionConflictException", FailureKind.THROTTLED),
    ("RequestTimeout", FailureKind.UNREACHABLE),
    ("KmsDisabled", FailureKind.NOT_ALLOWED),
    ("SlowDown", FailureKind.THROTTLED),
    ("RequestLimitExceeded", FailureKind.THROTTLED),
    ("ExpiredToken", FailureKind.CREDENTIALS),
    ("ExpiredTokenException", FailureKind.CREDENTIALS),
    ("InvalidClientTokenId", FailureKind.CREDENTIALS),
    ("UnrecognizedClientException", FailureKind.CREDENTIALS),
    ("SignatureDoesNotMatch", FailureKind.CREDENTIALS),
    ("AccessDenied", FailureKind.NOT_ALLOWED),
    ("AccessDeniedException", FailureKind.NOT_ALLOWED),
    ("UnauthorizedOperation", FailureKind.NOT_ALLOWED),
    ("ResourceNotFoundException", FailureKind.MISSING),
    ("NoSuchBucket", FailureKind.MISSING),
    ("404", FailureKind.MISSING),
    ("InvalidInstanceID.NotFound", FailureKind.MISSING),
    ("AWS.SimpleQueueService.NonExistentQueue", FailureKind.MISSING),
    ("ResourceInUseException", FailureKind.EXISTS),
    ("BucketAlreadyOwnedByYou", FailureKind.EXISTS),
    ("InvalidKeyPair.Duplicate", FailureKind.EXISTS),
    ("VcpuLimitExceeded", FailureKind.QUOTA),
    ("StorageQuotaExceeded", FailureKind.QUOTA),
    ("ValidationException", FailureKind.REFUSED),
    ("InvalidParameterValue", FailureKind.REFUSED),
    ("KeyTooLongError", FailureKind.REFUSED),
    ("ItemCollectionSizeLimitExceededException", FailureKind.REFUSED),
    ("IDPCommunicationError", FailureKind.UNREACHABLE),
    ("OperationAborted", FailureKind.THROTTLED),
    ("KMSDisabledException", FailureKind.NOT_ALLOWED),
    ("AccountProblem", FailureKind.NOT_ALLOWED),
    ("NotSignedUp", FailureKind.NOT_ALLOWED),
    ("AllAccessDisabled", FailureKind.NOT_ALLOWED),
    ("InternalFailure", FailureKind.UNKNOWN),
]


@pytest.mark.parametrize(("code", "kind"), BY_CODE)
def test_kind_of_a_code(code: str, kind: FailureKind) -> None:
    status = 500 if kind is FailureKind.UNKNOWN else 400
    failure = classify(refused(code, "The message.", status))
    assert (failure.kind, failure.code, failure.message) == (kind, code, "The message.")


UNLISTED = [
    ("Whatever", 503, FailureKind.THROTTLED),
    ("Whatever", 429, FailureKind.THROTTLED),
    ("Whatever", 500, FailureKind.UNKNOWN),
    ("Whatever", 400, FailureKind.UNKNOWN),
    ("Whatever", 409, FailureKind.UNKNOWN),
    ("Whatever", 407, FailureKind.UNREACHABLE),
    ("InvalidThingID.NotFound", 400, FailureKind.MISSING),
    ("InvalidThing.Duplicate", 400, FailureKind.EXISTS),
    ("ThingLimitExceeded", 400, FailureKind.QUOTA),
]


@pytest.mark.parametrize(("code", "status", "kind"), UNLISTED)
def test_kind_of_a_code_in_no_table(code: str, status: int, kind: FailureKind) -> None:
    assert classify(refused(code, "", status)).kind is kind


OF_BOTOCORE = [
    (EndpointConnectionError(endpoint_url="http://x"), FailureKind.UNREACHABLE),
    (ReadTimeoutError(endpoint_url="http://x"), FailureKind.UNREACHABLE),
    (NoCredentialsError(), FailureKind.CREDENTIALS),
    (NoRegionError(), FailureKind.REFUSED),
    (ParamValidationError(report="x"), FailureKind.REFUSED),
]


@pytest.mark.parametrize(("error", "kind"), OF_BOTOCORE, ids=lambda each: type(each).__name__)
def test_kind_of_what_botocore_raises_by_itself(error: Exception, kind: FailureKind) -> None:
    assert is_aws_failure(error)
    assert classify(error).kind is kind


def test_waiter_that_was_refused_says_what_refused_it() -> None:
    response = {"Error": {"Code": "AccessDenied", "Message": "no"}}
    error = WaiterError("bucket_exists", "An error occurred", response)
    assert classify(error).kind is FailureKind.NOT_ALLOWED


def test_what_boto3_wraps_is_what_it_wraps() -> None:
    from boto3.exceptions import S3UploadFailedError

    wrapped = S3UploadFailedError("Failed to upload")
    wrapped.__cause__ = refused("NoSuchBucket", "The bucket is not there")
    assert classify(wrapped).kind is FailureKind.MISSING


def test_a_wrong_clock_is_told_and_passes() -> None:
    failure = classify(refused("RequestTimeTooSkewed", "The difference is too large.", 403))
    assert failure.kind is FailureKind.CREDENTIALS
    assert "clock of this machine" in failure.message


@pytest.mark.parametrize(
    ("code", "status", "is_fault"),
    [("Whatever", 400, True), ("Whatever", 500, False), ("SlowDown", 400, False)],
)
def test_a_fault_in_no_list_is_known_by_its_status(code: str, status: int, is_fault: bool) -> None:
    assert is_unknown_fault(refused(code, "", status)) is is_fault


def test_sentence_names_the_code_and_what_to_do() -> None:
    said = str(classify(refused("AccessDenied", "User bob may not s3:PutObject.")))
    assert said.startswith("User bob may not s3:PutObject (AccessDenied). ")
    assert "thingtank cloud check" in said


def test_failures_of_others_are_none_of_aws() -> None:
    assert not is_aws_failure(ValueError("x"))


PASSING = [
    ("SlowDown", True),
    ("ExpiredToken", True),
    ("AccessDenied", False),
    ("NoSuchKey", False),
]


@pytest.mark.parametrize(("code", "is_passing"), PASSING)
def test_what_may_pass_by_itself(code: str, is_passing: bool) -> None:
    assert classify(refused(code)).is_passing is is_passing


@pytest.mark.parametrize(
    "error",
    [
        ResponseParserError(
            "Unable to parse response, invalid XML received: <!doctype html><html>"
        ),
        refused(
            "500", "<!doctype html><html lang=en><title>500 Internal Server Error</title>", 500
        ),
    ],
)
def test_page_of_another_server_is_not_printed(error: Exception) -> None:
    failure = classify(error)
    assert failure.is_passing
    assert "is no answer of AWS" in str(failure)
    assert "aws.endpoint_url" in str(failure)
    assert "html" not in str(failure)
