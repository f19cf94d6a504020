"""What AWS refuses, and what fails on the way to it, as few kinds with what to do about each.

Source: AWS, the common errors of each service; botocore's exceptions.
"""

import re
from typing import Any

from thingtank.tank.failures import Failure, FailureKind

_ADVICE = {
    FailureKind.UNREACHABLE: "Is the network up? Are `aws.region` and `aws.endpoint_url` right?",
    FailureKind.THROTTLED: "It asks for fewer calls: try again in a while.",
    FailureKind.CREDENTIALS: "Look at the keys that AWS's own programs use:"
    " `aws sts get-caller-identity`, with the profile that `aws.profile` names.",
    FailureKind.NOT_ALLOWED: "Whoever keeps the account must allow this action to the identity"
    " that `thingtank cloud check` shows.",
    FailureKind.MISSING: "Look at its name, and at `aws.region`: names are of one region.",
    FailureKind.EXISTS: "Choose another name, or delete what is there.",
    FailureKind.QUOTA: "Ask AWS for more in the console's Service Quotas, or free some.",
    FailureKind.REFUSED: "",
    FailureKind.UNKNOWN: "",
}

_CODES = {
    FailureKind.UNREACHABLE: (
        "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError",
        "ConnectionClosedError", "ConnectionError", "SSLError", "ProxyConnectionError",
        "HTTPClientError", "ResponseStreamingError", "IncompleteReadError",
        "RequestTimeout", "RequestTimeoutException", "BadDigest",  # bytes were lost on the way
        "IDPCommunicationError", "407",  # of a proxy that wants a password
    ),
    FailureKind.THROTTLED: (
        "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded",
        "RequestThrottled", "RequestThrottledException", "TooManyRequestsException", "SlowDown",
        "ProvisionedThroughputExceededException", "KMSThrottlingException",
        "BandwidthLimitExceeded", "ScalingActivityInProgress", "ResourceContention",
        "TransactionInProgressException", "PurgeQueueInProgress",
        "ConditionalRequestConflict", "OperationAborted", "PriorRequestNotComplete",
        "TransactionConflictException", "ReplicatedWriteConflictException", "KmsThrottled",
        "AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently",
        "AWS.SimpleQueueService.PurgeQueueInProgress",
    ),
    FailureKind.CREDENTIALS: (
        "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError",
        "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "ProfileNotFound",
        "ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed",
        "InvalidClientTokenId",
        "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
        "AuthFailure", "InvalidAccessKeyId", "InvalidToken", "MissingAuthenticationToken",
        "IncompleteSignature", "MissingAuthenticationTokenException", "NotAuthorized",
        "InvalidIdentityToken", "IDPRejectedClaim", "InvalidSecurity",
    ),
    FailureKind.NOT_ALLOWED: (
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError",
        "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException",
        "KMSNotFoundException", "KMSOptInRequired", "KMS.AccessDeniedException",
        "KMS.DisabledException", "KMS.InvalidStateException", "KMS.NotFoundException",
        "KMS.OptInRequired", "KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage",
        "KmsInvalidState", "KmsNotFound", "KmsOptInRequired",
        "OperationNotPermitted", "OptInRequired", "Forbidden", "403",
        "AccountProblem", "AllAccessDisabled", "NotSignedUp", "InvalidPayer", "Blocked",
        "PendingVerification", "SubscriptionRequiredException",
    ),
    FailureKind.MISSING: (
        "ResourceNotFoundException", "NoSuchBucket", "NoSuchKey", "NoSuchUpload", "NotFound", "404",
        "PermanentRedirect", "AuthorizationHeaderMalformed",  # of a bucket in another region
        "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "DBInstanceNotFound",
        "DBInstanceNotFoundFault", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist",
        "InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable",
        "InvalidKeyPair.NotFound", "InvalidGroup.NotFound", "InvalidGroupId.Malformed",
        "InvalidSubnetID.NotFound", "InvalidVpcID.NotFound", "ParameterNotFound",
        "InvalidLaunchTemplateName.NotFoundException", "NoSuchEntity", "EntityNotFoundException",
        "DBSubnetGroupNotFoundFault", "TableNotFoundException",
    ),
    FailureKind.EXISTS: (
        "ResourceInUseException", "BucketAlreadyOwnedByYou", "BucketAlreadyExists", "AlreadyExists",
        "AlreadyExistsException", "AlreadyExistsFault", "InvalidGroup.Duplicate",
        "InvalidKeyPair.Duplicate", "InvalidPermission.Duplicate", "DBInstanceAlreadyExists",
        "DBInstanceAlreadyExistsFault", "QueueAlreadyExists", "QueueNameExists",
        "PreconditionFailed",
        "InvalidLaunchTemplateName.AlreadyExistsException", "TableAlreadyExistsException",
    ),
    FailureKind.QUOTA: (
        "InstanceLimitExceeded", "VcpuLimitExceeded", "InstanceQuotaExceeded",
        "InstanceQuotaExceededFault", "StorageQuotaExceeded", "StorageQuotaExceededFault",
        "LimitExceeded", "LimitExceededException", "TooManyBuckets",
        "ServiceQuotaExceededException",
        "VpcLimitExceeded", "AddressLimitExceeded", "InsufficientInstanceCapacity",
        "InsufficientDBInstanceCapacity", "InsufficientDBInstanceCapacityFault", "OverLimit",
    ),
    FailureKind.REFUSED: (
        "ValidationError", "ValidationException", "ParamValidationError", "SerializationException",
        "InvalidParameterValue", "InvalidParameterCombination", "InvalidParameter",
        "InvalidArgumentException", "InvalidRequestException", "InvalidRequest",
        "InvalidBucketName", "InvalidArgument", "KeyTooLongError", "KeyTooLong",
        "InvalidDigest", "MalformedXML", "MetadataTooLarge", "MissingContentLength",
        "InvalidParameterValueException", "InvalidParameterException", "InvalidInput",
        "ItemCollectionSizeLimitExceededException", "TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "InvalidBatchEntryId",
        "InvalidMessageContents", "InvalidAttributeName", "InvalidAttributeValue", "EntityTooLarge",
        "MissingParameter", "UnsupportedOperation", "Unsupported", "IncorrectInstanceState",
        "InvalidDBInstanceState", "InvalidDBInstanceStateFault", "MalformedPolicyDocument",
        "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", "InvalidBucketState",
        "IllegalLocationConstraintException", "InvalidAction", "UnknownOperationException",
        "NoRegionError", "InvalidRegionError", "UnknownServiceError", "InvalidEndpoint",
    ),
}  # fmt: skip
_KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes}

_SAID_BETTER = {
    "NoCredentialsError": "There are no AWS keys on this machine",
    "RequestTimeTooSkewed": "The clock of this machine is wrong by more than 15 minutes",
    "NoRegionError": "No region is set: `aws.region`, or AWS_DEFAULT_REGION",
}

_PAGE = re.compile(r"<(!doctype|html)\b", re.IGNORECASE)
_NO_ANSWER = "What came back is no answer of AWS; a proxy or another server is there, maybe"


def is_aws_failure(error: BaseException) -> bool:
    """Whether it came from boto3 or botocore; does not import them."""
    return any(
        kind.__module__.partition(".")[0] in ("botocore", "boto3", "s3transfer")
        for kind in type(error).__mro__
    )


def classify(error: BaseException) -> Failure:
    """What a failure of a client's call means.

    Only a code that is listed is REFUSED, as what is refused is not sent again.
    What boto3 wraps (S3UploadFailedError, WaiterError) is classified by what it holds.
    """
    response: Any = getattr(error, "response", None) or getattr(error, "last_response", None)
    stated = response.get("Error", {}) if isinstance(response, dict) else {}
    code = str(stated.get("Code") or "")
    message = str(stated.get("Message") or "")
    status = _status_of(response)
    if not code:
        cause = error.__cause__ or error.__context__
        if cause is not None and is_aws_failure(cause):
            return classify(cause)
        code, message = type(error).__name__, str(error)
    kind = _KIND_OF_CODE.get(code) or _kind_of_family(error, code, status)
    if code == "ResponseParserError" or _PAGE.search(message):
        return Failure(kind, code, _NO_ANSWER, _ADVICE[FailureKind.UNREACHABLE])
    return Failure(kind, code, _SAID_BETTER.get(code) or message or code, _ADVICE[kind])


def failure_of_code(code: str, message: str) -> Failure:
    """What a failure means that a reply tells of one entry of a batch.

    A code that is not known is UNKNOWN: what became of the entry is not, either.
    """
    kind = _KIND_OF_CODE.get(code, FailureKind.UNKNOWN)
    return Failure(kind, code, message or code, _ADVICE[kind])


def is_missing(error: BaseException) -> bool:
    """Whether a call failed because what it names is not there."""
    return is_aws_failure(error) and classify(error).kind is FailureKind.MISSING


def is_unknown_fault(error: BaseException) -> bool:
    """Whether AWS did nothing and finds fault with the request (4xx), by a code in no list.

    A sink sends its values once more all the same; a command had better end.
    """
    status = _status_of(getattr(error, "response", None))
    return 400 <= status < 500 and classify(error).kind is FailureKind.UNKNOWN


def _status_of(response: Any) -> int:
    if not isinstance(response, dict):
        return 0
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _kind_of_family(error: BaseException, code: str, status: int) -> FailureKind:
    """The kind of a code that is in no table: by the error's ancestors, the status, its end."""
    for ancestor in type(error).__mro__:
        if ancestor.__name__ in _KIND_OF_CODE:
            return _KIND_OF_CODE[ancestor.__name__]
    if status == 407:
        return FailureKind.UNREACHABLE
    if status in (429, 503):
        return FailureKind.THROTTLED
    if code.endswith((".NotFound", "NotFoundException", "NotFoundFault", "NotFound")):
        return FailureKind.MISSING
    if code.endswith((".Duplicate", "AlreadyExists", "AlreadyExistsException")):
        return FailureKind.EXISTS
    if code.endswith(("QuotaExceeded", "LimitExceeded", "LimitExceededException")):
        return FailureKind.QUOTA
    return FailureKind.UNKNOWN
