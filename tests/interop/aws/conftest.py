"""Stand-ins for AWS, for all tests in here."""

from tests.aws_stand_ins import ministack, moto, stand_in

__all__ = ["ministack", "moto", "stand_in"]
