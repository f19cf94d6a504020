"""Stand-ins for AWS, for all tests in here."""

from tests.aws_stand_ins import any_s3, ministack, models_read_once, moto, seaweedfs, stand_in
from tests.interop.aws.cloud_command import cloud

__all__ = ["any_s3", "cloud", "ministack", "models_read_once", "moto", "seaweedfs", "stand_in"]
