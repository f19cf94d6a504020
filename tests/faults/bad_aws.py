"""Between a program and a stand-in for AWS: what AWS and the network do on a bad day.

Requests are throttled, refused because a token has expired, answered with 503, lost before or after
they were carried out, and taken in part. No stand-in does any of this.
"""

import contextlib
import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FATES = {
    "fine": 55,
    "part": 15,
    "throttled": 8,
    "expired": 5,
    "unavailable": 5,
    "unsent": 6,
    "lost": 6,
}
_CODES = {
    "throttled": (400, "ProvisionedThroughputExceededException", "SlowDown"),
    "expired": (400, "ExpiredTokenException", "ExpiredToken"),
    "unavailable": (503, "ServiceUnavailable", "ServiceUnavailable"),
}
_PARTED = ("Kinesis_20131202.PutRecords", "AmazonSQS.SendMessageBatch")
_LOCAL_HEADERS = {"connection", "content-length", "transfer-encoding", "keep-alive"}

Reply = tuple[int, Mapping[str, str], bytes]


class BadAws(ThreadingHTTPServer):
    """Goes on to `target` as chance says, unless `is_calm`; `fates` counts what happened."""

    daemon_threads = True

    def __init__(self, target: str, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 80)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.chance = random.Random(seed)
        self.is_calm = False
        self.fates: Counter[str] = Counter()

    def fate(self) -> str:
        """What becomes of a request."""
        (found,) = self.chance.choices(list(FATES), list(FATES.values()))
        found = "fine" if self.is_calm else found
        self.fates[found] += 1
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Of a client that was killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BadAws

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fate = self.server.fate()
        if fate in _CODES:
            self._answer(_refusal(*_CODES[fate], is_json="X-Amz-Target" in self.headers))
        elif fate == "unsent":
            self.close_connection = True
        elif fate == "part" and self.headers.get("X-Amz-Target") in _PARTED:
            self._answer(self._in_part(body))
        else:
            reply = self._passed_on(body)
            if fate == "lost":
                self.close_connection = True
            else:
                self._answer(reply)

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def _passed_on(self, body: bytes) -> Reply:
        connection = http.client.HTTPConnection(*self.server.target, timeout=30)
        headers = {
            name: value for name, value in self.headers.items()
            if name.lower() not in _LOCAL_HEADERS
        }  # fmt: skip
        try:
            connection.request(self.command, self.path, body, headers)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def _in_part(self, body: bytes) -> Reply:
        """Pass some entries on, and answer of the others that they failed."""
        asked = json.loads(body)
        name = "Records" if "Records" in asked else "Entries"
        taken = [self.server.chance.random() < 0.5 for _ in asked[name]]
        some = [each for each, is_in in zip(asked[name], taken, strict=True) if is_in]
        answer: dict[str, Any] = {}
        if some:
            status, headers, data = self._passed_on(json.dumps({**asked, name: some}).encode())
            if status != 200:
                return status, headers, data
            answer = json.loads(data)
        if name == "Records":
            done = iter(answer.get("Records", ()))
            failed = {"ErrorCode": "InternalFailure", "ErrorMessage": "a bad day"}
            answer["Records"] = [next(done) if is_in else failed for is_in in taken]
            answer["FailedRecordCount"] = taken.count(False) + answer.get("FailedRecordCount", 0)
        else:
            answer["Failed"] = answer.get("Failed", []) + [
                {"Id": each["Id"], "SenderFault": False, "Code": "InternalError"}
                for each, is_in in zip(asked[name], taken, strict=True) if not is_in
            ]  # fmt: skip
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    def _answer(self, reply: Reply) -> None:
        status, headers, data = reply
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _LOCAL_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _refusal(status: int, json_code: str, xml_code: str, *, is_json: bool) -> Reply:
    if is_json:
        said = json.dumps({"__type": json_code, "message": "a bad day"})
        return status, {"Content-Type": "application/x-amz-json-1.1"}, said.encode()
    said = f"<Error><Code>{xml_code}</Code><Message>a bad day</Message></Error>"
    return status, {"Content-Type": "application/xml"}, said.encode()


@contextlib.contextmanager
def bad_aws(target: str, seed: int) -> Iterator[BadAws]:
    """One before the stand-in at a URL."""
    server = BadAws(target, seed)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
