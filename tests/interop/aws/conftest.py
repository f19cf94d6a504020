"""Stand-ins for AWS, for all tests in here."""

from tests.aws_stand_ins import ministack, models_read_once, moto, stand_in
from tests.interop.aws.cloud_command import cloud

__all__ = ["cloud", "ministack", "models_read_once", "moto", "stand_in"]
