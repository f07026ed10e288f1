"""What a client is told of a mistake in what it sent: the default error page of such errors.

Most error pages say no more than the status, since a log message is the program's own. Errors of arguments
and JSON bodies are about the client's words alone, and whoever writes the client has no log to look at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tornado._wire.accept import MEDIA_RANGE, weights
from tornado.escape import xhtml_escape

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler


def write(handler: RequestHandler, status_code: int, message: str) -> None:
    """Finish with the status and `message`: as JSON where the client speaks it, else as a page."""
    title = f"{status_code}: {handler._reason}"
    if _speaks_json(handler):
        handler.set_header("Content-Type", "application/json; charset=UTF-8")
        _ = handler.finish(json.dumps({"error": {"status": status_code, "message": message}}))
        return
    title, message = xhtml_escape(title), xhtml_escape(message)
    _ = handler.finish(f"<html><title>{title}</title><body>{title}<p>{message}</p></body></html>")


def _speaks_json(handler: RequestHandler) -> bool:
    """Whether a client sent JSON, or accepts it and no page."""
    headers = handler.request.headers
    if "json" in headers.get("Content-Type", "").partition(";")[0].lower():
        return True
    liked = {kind for kind, weight in weights(headers.get("Accept", ""), MEDIA_RANGE) if weight}
    return "text/html" not in liked and any("json" in kind for kind in liked)
