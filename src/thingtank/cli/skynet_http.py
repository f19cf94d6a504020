"""HTTP of the command line to a SkyNet server, and where that is."""

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thingtank.cli.session import Refusal

DEFAULT_URL = "http://127.0.0.1:3000"
ANSWER_S_MAX = 30.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024
LINE_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True)
class Address:
    """Where to go, and as which device.

    Attributes:
        uuid, token: blank for a stranger.
        ca: certificates to believe in place of the system's.
    """

    url: str
    uuid: str = ""
    token: str = field(default="", repr=False)
    ca: Path | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What says who asks."""
        if not self.uuid:
            return {}
        return {"meshblu_auth_uuid": self.uuid, "meshblu_auth_token": self.token}


def ask(address: Address, method: str, path: str, document: Any = None) -> Any:
    """Send a request; its answer's JSON.

    Raises:
        Refusal: nothing answers, or the answer is a refusal.
    """
    with _answer_to(address, method, path, document) as response:
        body = response.read(ANSWER_BYTES_MAX)
        return _json_of(body, address.url)


def stream(address: Address, path: str) -> Iterator[Any]:
    """The JSON of each line of an answer that does not end, as it comes.

    Raises:
        Refusal: as `ask`; or the connection was lost.
    """
    with _answer_to(address, "GET", path, None, is_endless=True) as response:
        while line := response.readline(LINE_BYTES_MAX):
            if line.strip():
                yield _json_of(line, address.url)
    raise Refusal(f"{address.url} has ended the stream")


@contextlib.contextmanager
def _answer_to(
    address: Address, method: str, path: str, document: Any, *, is_endless: bool = False
) -> Iterator[http.client.HTTPResponse]:
    connection = _connection(address)
    headers = dict(address.headers)
    body = None
    if document is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(document)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        if response.status >= 300:
            raise Refusal(_refusal(response))
        if is_endless and connection.sock is not None:
            connection.sock.settimeout(None)
        yield response
    except (OSError, http.client.HTTPException) as error:
        raise Refusal(_why_not(address.url, error)) from None
    finally:
        connection.close()


def _connection(address: Address) -> http.client.HTTPConnection:
    parts = urlsplit(address.url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/"):
        raise Refusal(f"{address.url} is no address; one is like {DEFAULT_URL}")
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=ANSWER_S_MAX)
    try:
        tls = ssl.create_default_context(cafile=address.ca)
    except (OSError, ValueError) as error:
        raise Refusal(f"{address.ca} has no certificates that can be read: {error}") from None
    return http.client.HTTPSConnection(host, port, timeout=ANSWER_S_MAX, context=tls)


def _why_not(url: str, error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {url} is not believed: {error.verify_message};"
            " --ca FILE names a certificate to believe"
        )
    if isinstance(error, ConnectionRefusedError):
        return (
            f"nothing listens at {url}; start a server with: thingtank serve,"
            " or name another with --url"
        )
    return f"{url} does not answer: {error or type(error).__name__}"


def _refusal(response: http.client.HTTPResponse) -> str:
    """The server's words."""
    body = response.read(LINE_BYTES_MAX)
    try:
        said = json.loads(body)
    except ValueError:
        said = ""
    if isinstance(said, dict):
        said = said.get("error", said.get("message", ""))
    if isinstance(said, dict):
        said = said.get("message", "")
    if response.status == 401:
        said = "unauthorized; the uuid or the token is wrong, or strangers are not let in"
    return f"the server refused: {said or response.status}"


def _json_of(body: bytes, url: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Refusal(f"{url} does not answer as a SkyNet server does") from None


def url_of_server(folder: Path) -> str:
    """Where the server of a data folder has SkyNet, or the default address when none runs.

    Raises:
        Refusal: it runs, and has no SkyNet.
    """
    from thingtank.cli.session import running_server

    server = running_server(folder)
    if server is None:
        return DEFAULT_URL
    try:
        found = server.call("server.addresses", {})
    finally:
        server.close()
    url = found["sockets"].get("skynet")
    if not url:
        raise Refusal(f"the server of {folder} has SkyNet at no port; give its address with --url")
    return str(url)
