"""Buckets of S3: found, or made and closed to the public."""

from collections.abc import Callable
from typing import Any

from thingtank.aws.failures import classify, is_aws_failure
from thingtank.aws.lifecycle import set_rule, tidying_rule
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.errors import NotDone
from thingtank.cloud.progress import Say
from thingtank.tank.failures import Failure

_NO_LOCATION = "us-east-1"  # the one region that must not be named
_NOT_HERE = ("NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "501")
_WAITS = {"Delay": 1, "MaxAttempts": 30}


class BucketRefused(NotDone):
    """The bucket cannot be used. The message says why and what to do."""


def ensure_bucket(s3: Any, name: str, say: Say) -> bool:
    """See to it that a bucket is there; returns whether it was made now.

    One that is made is closed to the public, keeps versions, is encrypted, and forgets unfinished
    uploads. One that was there is left as it is.

    Raises:
        BucketRefused: it is another's.
        botocore.exceptions.BotoCoreError, ClientError: see `aws.failures.classify`.
    """
    if _is_there(s3, name):
        return False
    region = s3.meta.region_name
    where = {} if region == _NO_LOCATION else {"LocationConstraint": region}
    arguments = {"CreateBucketConfiguration": where} if where else {}
    try:
        s3.create_bucket(Bucket=name, **arguments)
    except Exception as error:
        if not is_aws_failure(error):
            raise
        code = classify(error).code
        if code == "BucketAlreadyExists":
            raise BucketRefused(_of_another(name)) from error
        if code == "BucketAlreadyOwnedByYou":  # made by somebody beside us just now
            return False
        raise
    except KeyboardInterrupt:
        say(f"If the bucket {name} was made it is not closed yet, and empty: aws s3 rb s3://{name}")
        raise
    try:
        s3.get_waiter("bucket_exists").wait(Bucket=name, WaiterConfig=_WAITS)
        say(f"Made the bucket {name} in {region}.")
        harden(s3, name, say)
    except BaseException:
        _take_back(s3, name, say)
        raise
    return True


def _take_back(s3: Any, name: str, say: Say) -> None:
    """Delete a bucket that was made just now: the next time it would be taken as it is."""
    try:
        s3.delete_bucket(Bucket=name)
    except Exception as error:
        if not is_aws_failure(error):
            raise
        say(f"Left for you to delete, bucket {name}, which is empty: {classify(error)}")
    else:
        say(f"Took back the bucket {name}.")


def _is_there(s3: Any, name: str) -> bool:
    try:
        s3.head_bucket(Bucket=name)
    except Exception as error:
        if not is_aws_failure(error):
            raise
        code = classify(error).code  # a HEAD has no body, so there is only the status
        if code in ("404", "NoSuchBucket"):
            return False
        if code in ("403", "AccessDenied", "Forbidden"):
            raise BucketRefused(_of_another(name)) from error
        raise
    return True


def _of_another(name: str) -> str:
    return (
        f"the bucket {name} belongs to another account, or this identity has no s3:ListBucket on"
        " it. Names are shared by all of AWS: choose another, or look with: thingtank cloud check"
    )


def harden(s3: Any, name: str, say: Say) -> None:
    """Close a new bucket to the public; have it keep versions, encrypt, forget unfinished uploads.

    It gets our tag, and no other: one that is there already may have tags of its own.

    What a server that is not AWS does not know is said, and left out.

    Raises:
        botocore.exceptions.ClientError: see `aws.failures.classify`.
    """
    closed = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    encrypted = {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                "BucketKeyEnabled": True,
            }
        ]
    }
    steps: list[tuple[str, Callable[[], object]]] = [
        (
            "close it to the public",
            lambda: s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=closed),
        ),
        (
            "have it keep versions",
            lambda: s3.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            ),
        ),
        (
            "have it encrypt",
            lambda: s3.put_bucket_encryption(
                Bucket=name, ServerSideEncryptionConfiguration=encrypted
            ),
        ),
        (
            "have it forget unfinished uploads",
            lambda: set_rule(s3, name, tidying_rule("thingtank", "")),
        ),
        (
            "tag it",
            lambda: s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [APP_TAG]}),
        ),
    ]
    for what, step in steps:
        if failure := _not_known(step):
            say(f"This server could not {what} ({failure.code}); it is no AWS, so go on without.")


def _not_known(step: Callable[[], object]) -> Failure | None:
    """Take a step; what is said when the server does not know it."""
    try:
        step()
    except Exception as error:
        if not is_aws_failure(error):
            raise
        failure = classify(error)
        if failure.code not in _NOT_HERE:
            raise
        return failure
    return None
