"""Rules by which S3 itself tidies a bucket.

A bucket has all its rules in one document, which whoever writes replaces; so others' rules are read
first and stay.
"""

from typing import Any

from thingtank.aws.failures import classify, is_aws_failure

UNFINISHED_DAYS = 7  # parts of uploads that nobody finished; they cost as much as objects
INFREQUENT_DAYS_MIN = 30  # S3 moves nothing younger to STANDARD_IA
NONCURRENT_DAYS = 30  # what was overwritten or deleted, in a bucket that keeps versions

_OF_THE_WHOLE = ("TransitionDefaultMinimumObjectSize",)
_NO_RULES = ("NoSuchLifecycleConfiguration", "NotImplemented", "404")


def tidying_rule(name: str, prefix: str, infrequent_days: int = 0) -> dict[str, Any]:
    """The rule of what we put below a prefix.

    Args:
        infrequent_days: objects so old move to the storage class for what is read seldom; 0 leaves
            them where they are.
    """
    rule: dict[str, Any] = {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
        "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS},
    }
    if infrequent_days:
        rule["Transitions"] = [{"Days": infrequent_days, "StorageClass": "STANDARD_IA"}]
    return rule


def set_rule(s3: Any, bucket: str, rule: dict[str, Any]) -> bool:
    """Have a bucket follow a rule, beside those it has; returns whether anything was changed.

    Raises:
        botocore.exceptions.ClientError: see `aws.failures.classify`.
    """
    found = _found(s3, bucket)
    before = found.get("Rules", [])
    if rule in before:
        return False
    rules = [each for each in before if each.get("ID") != rule["ID"]]
    # What is not given again is as AWS has it today, for others' rules as well.
    kept = {name: found[name] for name in _OF_THE_WHOLE if name in found}
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [*rules, rule]}, **kept
    )
    return True


def _found(s3: Any, bucket: str) -> dict[str, Any]:
    try:
        found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    except Exception as error:
        if not is_aws_failure(error) or classify(error).code not in _NO_RULES:
            raise
        return {}
    return dict(found)
