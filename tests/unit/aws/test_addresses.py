"""Addresses of S3: what is taken, and what S3 would refuse."""

import pytest

from thingtank.aws.addresses import BadAddress, S3Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket", S3Address("bucket", "")),
        ("s3://bucket/", S3Address("bucket", "")),
        ("s3://my.bucket-1/a/b.txt", S3Address("my.bucket-1", "a/b.txt")),
        ("s3://bucket/ä b/", S3Address("bucket", "ä b/")),
    ],
)
def test_addresses_are_a_bucket_and_a_key(text: str, address: S3Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "bucket/key", "s3:/bucket", "s3://", "s3://ab", f"s3://{'a' * 64}", "s3://Bucket",
        "s3://a_b", "s3://-bucket", "s3://bucket-", "s3://a..b", "s3://10.0.0.1", "s3://xn--bucket",
        "s3://bucket-s3alias", "s3://bucket//key", "s3://bucket/../key", f"s3://bucket/{'a' * 1025}",
    ],
)  # fmt: skip
def test_what_s3_refuses_is_refused_before_it_is_asked(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text)


@pytest.mark.parametrize("beginning", ["data", "data/"])
def test_names_go_below_a_prefix_however_it_ends(beginning: str) -> None:
    assert S3Address("bucket", beginning).of("file.txt").key == "data/file.txt"
    assert S3Address("bucket", "").of("file.txt").key == "file.txt"
