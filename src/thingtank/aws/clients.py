"""Clients of AWS services: all are made here, from the settings, once each.

boto3's clients may be used by many threads at once, its sessions may not; so clients are made
under a lock. From the event loop call them by `AwsClients.call`, in threads of their own: as many
as there are connections, so that no call waits for a connection that another thread has.
"""

import asyncio
import ipaddress
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from thingtank.aws.failures import is_aws_failure
from thingtank.aws.settings import AwsSettings, is_endpoint

ATTEMPTS_MAX = 5  # by boto3 itself, with pauses that double
CONNECT_S_MAX = 5
READ_S_MAX = 60  # more than the 20 s that SQS lets a reader wait
STAND_IN_KEY = "test"  # both halves: what stand-ins on this machine take


class NoClients(Exception):
    """No client can be made; the message says what to do."""


class AwsMissing(NoClients):
    """boto3 is not installed; the message says how to have it."""

    def __init__(self) -> None:
        super().__init__("this needs boto3, which is not installed: pip install 'thingtank[aws]'")


class BadSurroundings(NoClients):
    """What the environment or a profile says is of no use, such as an address that is none."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"boto3 takes no such settings: {reason}. Look at AWS_ENDPOINT_URL and other AWS_… of"
            " the environment, at ~/.aws/config, and at [aws] of the settings file; an address is"
            " such as http://127.0.0.1:4566"
        )


class AwsClients:
    """The clients of one instance or command, by service."""

    def __init__(
        self,
        settings: AwsSettings,
        attempts_max: int = ATTEMPTS_MAX,
        read_s_max: float = READ_S_MAX,
    ) -> None:
        """Make none yet.

        Args:
            attempts_max: of each call, by boto3 itself; fewer where somebody waits for the answer.
            read_s_max: without a byte of an answer.
        """
        self.settings = settings
        self._attempts_max = attempts_max
        self._read_s_max = read_s_max
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, bool], Any] = {}
        self._threads: ThreadPoolExecutor | None = None

    def client(self, service: str, *, is_checked: bool = True) -> Any:
        """The client of a service, by boto3's name for it: `s3`, `sqs`, `dynamodb`, ….

        Args:
            is_checked: whether it checks all arguments before a call. That is a third of what a
                large batch costs; who makes batches by code that is tested does without.

        Raises:
            AwsMissing: boto3 is not installed.
            BadSurroundings: botocore reads more than our settings.
            botocore.exceptions.BotoCoreError: no region, no such profile.
        """
        with self._lock:
            key = service, is_checked
            if key not in self._clients:
                more = {
                    "retries": {"mode": "standard", "max_attempts": self._attempts_max},
                    "read_timeout": self._read_s_max,
                    "parameter_validation": is_checked,
                }
                self._clients[key] = _made(service, self.settings, more)
            return self._clients[key]

    async def call(self, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """A client's method, called in a thread: `await clients.call(sqs.send_message, …)`."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.settings.connections_max, "aws")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, **arguments))

    def close(self) -> None:
        """Let go of all connections. Calls under way end by themselves."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()


def is_stand_in(url: str) -> bool:
    """Whether an endpoint is on this machine, and so no real AWS."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _made(service: str, settings: AwsSettings, more: Mapping[str, Any]) -> Any:
    try:
        import boto3.session
        import botocore.session
        from botocore.config import Config
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore"):
            raise
        raise AwsMissing from None
    from thingtank.aws.answers import Parsers, refuse_other_answers  # needs botocore

    endpoint_url = settings.endpoint_of(service)
    own: dict[str, Any] = {}
    if is_stand_in(endpoint_url):
        own = _for_stand_in(settings)
    inner = botocore.session.get_session()
    inner.register_component("response_parser_factory", Parsers())
    session = boto3.session.Session(
        profile_name=settings.profile or None,
        region_name=settings.region or None,
        botocore_session=inner,
        **own,
    )
    session.events.register_first("before-parse", refuse_other_answers)
    config = Config(
        connect_timeout=CONNECT_S_MAX,
        max_pool_connections=settings.connections_max,
        user_agent_extra=f"thingtank/{version('thingtank')}",
        s3={"addressing_style": "path"} if endpoint_url else {},
        **more,
    )
    region = None if session.region_name or not endpoint_url else "us-east-1"
    try:
        client = session.client(
            service, endpoint_url=endpoint_url or None, config=config, region_name=region
        )
        if not is_endpoint(client.meta.endpoint_url):
            raise ValueError(f"Invalid endpoint: {client.meta.endpoint_url}")
    except ValueError as error:
        if is_aws_failure(error):
            raise
        raise BadSurroundings(str(error)) from None  # botocore has none of its own for an address
    return client


def _for_stand_in(settings: AwsSettings) -> dict[str, Any]:
    """Keys for a stand-in where the machine has none, and never a person's real ones by accident.

    Whoever names a profile, or has keys in the environment, means them.
    """
    if settings.profile or "AWS_ACCESS_KEY_ID" in os.environ:
        return {}
    return {"aws_access_key_id": STAND_IN_KEY, "aws_secret_access_key": STAND_IN_KEY}
