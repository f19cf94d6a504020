"""Styles, scripts and fonts: files of the package, under addresses that change with them."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

PREFIX = "/static/"
CACHE_FOR = b"public, max-age=31536000, immutable"
_PACKAGES = (("thingtank.web.workbench", "static"), ("django.contrib.admin", "static"))


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


class StaticApp:
    """Serves the files to whoever asks; a browser that has one never asks again."""

    def __init__(self) -> None:
        self._files = StaticFiles(packages=list(_PACKAGES))

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
