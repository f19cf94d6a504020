"""Stand-ins for AWS, for all tests in here."""

from tests.aws_stand_ins import ministack, models_read_once, moto, stand_in

__all__ = ["ministack", "models_read_once", "moto", "stand_in"]
