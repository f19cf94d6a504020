"""Stand-ins for AWS, for all tests in here."""

from tests.aws_stand_ins import any_s3, ministack, moto, seaweedfs, stand_in

__all__ = ["any_s3", "ministack", "moto", "seaweedfs", "stand_in"]
