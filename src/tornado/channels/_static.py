"""The files that a `ChannelHandler` serves: the client for browsers and its types."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tornado.web import HTTPError

_FOLDER = Path(__file__).parent / "static"
#: The content type by name. Only these files are served.
_FILES = {
    "channels.js": "text/javascript; charset=utf-8",
    "channels.d.ts": "text/plain; charset=utf-8",
}


class FileHandler(Protocol):
    """The methods of a handler that `serve_file` calls."""

    def set_header(self, name: str, value: Any) -> None: ...

    def finish(self, chunk: Any = None) -> Any: ...


def serve_file(handler: FileHandler, name: str) -> None:
    """Send a file. Pages of every origin may import it, because it is public.

    :raises HTTPError: (404) if there is no such file.
    """
    content_type = _FILES.get(name)
    if content_type is None or not (_FOLDER / name).is_file():
        raise HTTPError(404)
    handler.set_header("Content-Type", content_type)
    handler.set_header("Cache-Control", "no-cache")  # revalidated with the ETag after an upgrade
    handler.set_header("Access-Control-Allow-Origin", "*")
    handler.finish((_FOLDER / name).read_bytes())


__all__ = ["serve_file"]
