"""The bucket of the archive's cold tier: whether it answers, and whose it is."""

from collections.abc import Iterator

from thingtank.server.doctor.findings import Finding, Patient, ok, problem, warning
from thingtank.stores.history.bucket_carrier import OWNER_FILE
from thingtank.stores.history.cold_bucket import BucketFailed, ColdBucket
from thingtank.tank.errors import StorageFailed


def check_bucket(patient: Patient) -> Iterator[Finding]:
    """Nothing where the setting is blank."""
    try:
        bucket = ColdBucket.by_settings(patient.config.archive, patient.config.aws)
    except StorageFailed as error:
        yield problem("bucket", str(error), "install it")
        return
    if bucket is None:
        return
    try:
        yield _owned(patient, bucket)
    except BucketFailed as error:
        yield problem("bucket", str(error), "see what `thingtank cloud check` says")
    finally:
        bucket.close()


def _owned(patient: Patient, bucket: ColdBucket) -> Finding:
    file = patient.folder / OWNER_FILE
    own_id = file.read_text() if file.exists() else ""
    owner = bucket.find_owner()
    if owner and owner != own_id:
        return warning(
            "bucket",
            f"{bucket.address} belongs to another data folder, so that this one only reads it",
            "when that is no longer in use: thingtank archive adopt",
        )
    whose = "belongs to this data folder" if owner else "is nobody's yet"
    return ok("bucket", f"{bucket.address} answers, and {whose}")
