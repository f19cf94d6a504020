"""AWS as botocore's Stubber has it, for all tests in here."""

from tests.stubbed_aws import stubbed

__all__ = ["stubbed"]
