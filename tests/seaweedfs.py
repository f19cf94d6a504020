"""SeaweedFS: a real S3 that keeps what it has, in one process that can be killed and started again."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.ports import free_port

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import is_aws_failure
from thingtank.aws.settings import AwsSettings

READY_S_MAX = 60.0
PARTS = ("master", "volume", "filer", "admin", "s3")
KEY = "test"


class SeaweedFs:
    """One server, on ports of its own that stay the same.

    Attributes:
        settings: how it is reached.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = {name: free_port() for name in PARTS}
        self._command = [
            str(Path(sys.executable).with_name("weed")), "mini", f"-dir={folder}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
            "-s3.port.iceberg=0", "-s3.port.lance=0",
            *(f"-{name}.port={port}" for name, port in ports.items()),
            *(f"-{name}.port.grpc={free_port()}" for name in PARTS),
        ]  # fmt: skip
        self.settings = AwsSettings(
            region="us-east-1", endpoint_url=f"http://127.0.0.1:{ports['s3']}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "SeaweedFs":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        clients = AwsClients(self.settings, attempts_max=1)
        deadline_s = time.monotonic() + READY_S_MAX
        while not _answers(clients.client("s3")):
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "log.txt").read_text()[-2000:]
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        clients.close()

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither killed nor stopped."""
        return self._process is not None

    def kill(self) -> None:
        """As when its machine dies."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it, if it runs; nobody needs what it has any more."""
        if self._process is not None:
            self.kill()


def _answers(s3: Any) -> bool:
    try:
        s3.list_buckets()
    except Exception as error:
        if not is_aws_failure(error):
            raise
        return False
    return True
