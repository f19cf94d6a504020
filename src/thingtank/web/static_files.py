"""Styles, scripts and fonts: files of the package, under addresses that change with them."""

import asyncio
import gzip
import hashlib
import os
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

# Of these the larger ones are sent compressed, if the browser takes that; fonts already are.
_COMPRESSIBLE = (".css", ".js", ".json", ".svg")
_COMPRESSED_FROM_BYTES = 1400  # what one packet carries anyway

PREFIX = "/static/"
CACHE_FOR = b"public, max-age=31536000, immutable"
_PACKAGES = (
    ("thingtank.web.workbench", "static"),
    ("thingtank.web.weather", "static"),
    ("django.contrib.admin", "static"),
    ("drf_spectacular_sidecar", "static"),  # Swagger UI, for the REST API's page
)


@cache
def static_url() -> str:
    """`/static/<version>/`; the version is that of all files together."""
    digest = hashlib.blake2b(digest_size=6)
    for package, folder in _PACKAGES:
        root = Path(str(files(package).joinpath(folder)))
        for path in sorted(root.rglob("*")):
            status = path.stat()
            digest.update(
                f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode()
            )
    return f"{PREFIX}{digest.hexdigest()}/"


@lru_cache(1024)  # more than there are files
def _compressed(path: str, mtime_ns: int) -> bytes:
    """A file's content as gzip; made once for each version of it."""
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)


class _CompressedFiles(StaticFiles):
    """Starlette's, with texts sent as gzip to browsers that take it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file, or what stands for it."""
        found = await super().get_response(path, scope)
        if not isinstance(found, FileResponse) or found.status_code != 200:
            return found
        file = os.fspath(found.path)
        status = found.stat_result
        if not file.endswith(_COMPRESSIBLE) or status is None:
            return found
        found.headers["vary"] = "accept-encoding"
        if status.st_size < _COMPRESSED_FROM_BYTES or not _takes_gzip(scope):
            return found
        content = await asyncio.to_thread(_compressed, file, status.st_mtime_ns)
        headers = {name: found.headers[name] for name in ("etag", "last-modified", "vary")}
        headers["content-encoding"] = "gzip"
        return Response(content, headers=headers, media_type=found.media_type)


def _takes_gzip(scope: Scope) -> bool:
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    coding = next((part for part in accepted.split(b",") if part.strip().startswith(b"gzip")), b"")
    return bool(coding) and coding.replace(b" ", b"").rpartition(b";q=")[2].strip(b"0.") != b""


class StaticApp:
    """Serves the files to whoever asks; a browser that has one never asks again."""

    def __init__(self) -> None:
        self._files = _CompressedFiles(packages=list(_PACKAGES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path: str = scope["path"]
        version, _, name = path.removeprefix(PREFIX).partition("/")
        is_current = static_url() == f"{PREFIX}{version}/"

        async def send_dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                cache_for = CACHE_FOR if is_current and message["status"] == 200 else b"no-cache"
                message["headers"] = [
                    *message["headers"],
                    (b"cache-control", cache_for),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await _answer(
            self._files, {**scope, "path": f"/{name}", "root_path": ""}, receive, send_dated
        )


async def _answer(app: StaticFiles, scope: Scope, receive: Receive, send: Any) -> None:
    from starlette.exceptions import HTTPException
    from starlette.responses import PlainTextResponse

    try:
        await app(scope, receive, send)
    except HTTPException as error:
        await PlainTextResponse(error.detail, error.status_code)(scope, receive, send)
