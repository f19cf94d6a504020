"""Box 8.26 in Python 3: upload a file to a bucket of S3, below a path and at its root.

Uses boto3, today's SDK, where the book uses boto. Mended here: the bucket is made if it is missing,
where the book's `get_bucket` fails; `os` is imported; keys come from where AWS's own programs have
them, and do not stand in the program; progress is a percentage, where the book prints dots; and
what has arrived is compared with the file.

    pip install boto3
    python box_8_26_s3_upload.py BUCKET FILE [PATH]

It makes the bucket BUCKET in your region: names are shared by all of AWS, so choose your own. To
try it without an account, run `thingtank cloud local` and set what it prints.
"""

import argparse
import os
import sys
import threading

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

MIB = 1024 * 1024
PARTS = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)


class Percentage:
    """Shows how much of a file has arrived; boto3 calls it from several threads."""

    def __init__(self, filename):
        self.size = max(1, os.path.getsize(filename))
        self.name = os.path.basename(filename)
        self.seen = 0
        self.lock = threading.Lock()

    def __call__(self, count):
        """`count` more bytes were sent; those that are sent again are counted again."""
        with self.lock:
            self.seen = min(self.size, self.seen + count)
            sys.stderr.write(f"\r{self.name}: {100 * self.seen // self.size:3d} %")
            sys.stderr.flush()


def get_bucket(s3, bucketname):
    """See to it that the bucket is there, and closed to the public."""
    try:
        s3.head_bucket(Bucket=bucketname)
        return
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "403":
            sys.exit(f"The bucket {bucketname} belongs to somebody else: choose another name")
        if code not in ("404", "NoSuchBucket"):
            raise
    region = s3.meta.region_name
    if region == "us-east-1":  # the one region that must not be named
        s3.create_bucket(Bucket=bucketname)
    else:
        s3.create_bucket(
            Bucket=bucketname, CreateBucketConfiguration={"LocationConstraint": region}
        )
    s3.get_waiter("bucket_exists").wait(Bucket=bucketname)
    s3.put_public_access_block(
        Bucket=bucketname,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    print("Made the bucket", bucketname)


def upload_to_s3_bucket_path(s3, bucketname, path, filename):
    """Upload a file below a path, large ones in parts."""
    key = f"{path.strip('/')}/{os.path.basename(filename)}" if path else os.path.basename(filename)
    s3.upload_file(filename, bucketname, key, Callback=Percentage(filename), Config=PARTS)
    sys.stderr.write("\n")
    arrived = s3.head_object(Bucket=bucketname, Key=key)["ContentLength"]
    if arrived != os.path.getsize(filename):
        sys.exit(f"{key} has {arrived} bytes, and the file has {os.path.getsize(filename)}")
    print(f"{filename} is s3://{bucketname}/{key}: {arrived} bytes")


def upload_to_s3_bucket_root(s3, bucketname, filename):
    """Upload a file to the bucket's root."""
    upload_to_s3_bucket_path(s3, bucketname, "", filename)


def main():
    """Upload the file to both places."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bucket")
    parser.add_argument("file")
    parser.add_argument("path", nargs="?", default="data")
    words = parser.parse_args()
    try:
        s3 = boto3.client("s3")
        get_bucket(s3, words.bucket)
        upload_to_s3_bucket_path(s3, words.bucket, words.path, words.file)
        upload_to_s3_bucket_root(s3, words.bucket, words.file)
    except (BotoCoreError, ClientError, S3UploadFailedError, OSError) as error:
        sys.exit(f"Not uploaded: {error}")


if __name__ == "__main__":
    main()
