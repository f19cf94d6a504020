"""Buckets of tests, and clients of S3 that are watched or break."""

import threading
from typing import Any


class Recorded:
    """A client whose calls are seen."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.calls: list[tuple[str, dict[str, Any]]] = []

    @property
    def bodies(self) -> list[bytes]:
        """What was sent."""
        return [call["Body"] for _, call in self.calls if "Body" in call]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._s3, name)
        if not callable(method) or name == "get_paginator":
            return method

        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            return method(**arguments)

        return call


class Breaking:
    """A client that loses its connection when one of its methods was called so often."""

    def __init__(self, s3: Any, method: str, after: int) -> None:
        self._s3 = s3
        self._method = method
        self._left = after
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._s3, name)
        if name != self._method:
            return method

        def call(**arguments: Any) -> Any:
            with self._lock:
                self._left -= 1
                is_broken = self._left < 0
            if is_broken:
                raise ConnectionError("the connection is lost")
            return method(**arguments)

        return call


def remove_bucket(s3: Any, name: str) -> None:
    """All versions of all that is in it, and itself."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    for each in s3.list_multipart_uploads(Bucket=name).get("Uploads", ()):
        s3.abort_multipart_upload(Bucket=name, Key=each["Key"], UploadId=each["UploadId"])
    s3.delete_bucket(Bucket=name)
