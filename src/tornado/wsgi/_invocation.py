"""One call of a WSGI application: ``start_response``, ``write`` and the iterable that it returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from tornado._gateway_observation import CLIENT_CLOSED_REQUEST, ObservedRequest
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.wsgi._environ import WSGIAppType
from tornado.wsgi._files import FileWrapper
from tornado.wsgi._response_bridge import ResponseBridge
from tornado.wsgi._response_head import BODILESS, ResponseHead

#: The chunks in a list are joined up to this total size in bytes.
_MAX_JOINED = 64 * 1024


class Invocation:
    """One call of the application, which passes its response to a `ResponseBridge`.

    The head is sent with the first non-empty chunk, or at the end. Until then the application may replace it.
    If the application sets no Content-Length, this class adds it for a body in a list or tuple. Other bodies
    are sent in the chunked coding.

    :param response: the response to write.
    :param summary: a description of the request for the log.
    :param observed: the observation of the request, or None.
    :ivar status: the status code that was sent; 500 before that, and 499 if the client has disconnected.
    """

    def __init__(
        self,
        application: WSGIAppType,
        environ: dict[str, Any],
        response: ResponseBridge,
        summary: str,
        observed: ObservedRequest | None = None,
    ) -> None:
        self.status = 500
        self._observed = observed
        self._application = application
        self._environ = environ
        self._response = response
        self._summary = summary
        self._head: ResponseHead | None = None
        self._head_sent = False
        self._ended = False
        self._remaining: int | None = None  # bytes that the Content-Length still requires

    def run(self) -> None:
        """Run the application in the current thread.

        An exception is logged, and 500 is sent if no head has been sent.
        """
        body: Any = None
        if self._observed is not None:
            self._observed.thread = threading.get_ident()
        try:
            body = self._application(self._environ, self._start_response)
            self._send(body)
        except BaseException as error:
            self._failed(error)
            if not isinstance(error, Exception) and self._response.in_loop:
                raise  # KeyboardInterrupt or SystemExit
        finally:
            self._close(body)

    def fail(self, error: BaseException) -> None:
        """Respond as if the application had raised `error`."""
        self._failed(error)

    # -- called by the application --

    def _start_response(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Set the head (PEP 3333, "The start_response() Callable")."""
        if exc_info:
            try:
                if self._head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # avoids a reference cycle through the traceback
        elif self._head is not None:
            raise RuntimeError("start_response was called again without exc_info")
        self._head = ResponseHead(status, headers)
        return self._write

    def _write(self, data: bytes) -> None:
        """Send a part of the body; ``start_response`` returns this callable for very old applications."""
        self._send_chunk(data)

    # -- the body --

    def _send(self, body: Any) -> None:
        if isinstance(body, (str, bytes)) or not (hasattr(body, "__iter__") or hasattr(body, "__getitem__")):
            raise TypeError(
                f"a WSGI application must return an iterable of bytes, such as [body], got {body!r:.100}"
            )
        if isinstance(body, FileWrapper):
            self._send_file(body)
        else:
            if isinstance(body, (list, tuple)):
                body = self._set_length(body)
            for chunk in body:
                self._send_chunk(chunk)
                if self._ended and self._bodiless():
                    break
        self._end()

    def _send_file(self, body: FileWrapper) -> None:
        """Send a file, up to the number of bytes in Content-Length."""
        for chunk in body:
            remaining = (
                self._head.length if self._head is not None and not self._head_sent else self._remaining
            )
            self._send_chunk(chunk if remaining is None or self._bodiless() else chunk[:remaining])
            if self._ended or remaining == 0:
                break

    def _set_length(self, body: list[Any] | tuple[Any, ...]) -> Iterable[bytes]:
        """Set the Content-Length of a complete body, and join small chunks."""
        chunks = [chunk if isinstance(chunk, bytes) else _as_bytes(chunk) for chunk in body]
        total = sum(map(len, chunks))
        head = self._head
        if head is not None and not self._head_sent and (total or self._environ["REQUEST_METHOD"] != "HEAD"):
            head.set_length(total)
        return (b"".join(chunks),) if total <= _MAX_JOINED else chunks

    def _bodiless(self) -> bool:
        head = self._head
        return self._environ["REQUEST_METHOD"] == "HEAD" or (head is not None and head.line.code in BODILESS)

    def _send_chunk(self, chunk: Any) -> None:
        if not isinstance(chunk, bytes):
            chunk = _as_bytes(chunk)
        if not chunk:
            return
        if self._head is None:
            raise RuntimeError("a WSGI application must call start_response before it sends a body")
        if self._bodiless():
            if not self._ended:
                self._put(b"", last=True)
            return
        remaining = self._remaining if self._head_sent else self._head.length
        if remaining is not None:
            remaining -= len(chunk)
            if remaining < 0:
                raise RuntimeError(f"a WSGI application sent {-remaining} bytes more than its Content-Length")
            self._remaining = remaining
        self._put(chunk, last=remaining == 0)

    def _end(self) -> None:
        head = self._head
        if head is None:
            raise RuntimeError("a WSGI application returned without calling start_response")
        if self._ended:
            return
        if not self._bodiless():
            if not self._head_sent:
                head.set_length(0)
                self._remaining = head.length
            if self._remaining:
                raise RuntimeError(
                    f"a WSGI application sent {self._remaining} bytes less than its Content-Length"
                )
        self._put(b"", last=True)

    def _put(self, chunk: bytes, last: bool) -> None:
        head = None
        if not self._head_sent:
            head = self._head
            assert head is not None
            identifier = None if self._observed is None else self._observed.response_id()
            if identifier is not None:
                head.headers.setdefault("X-Request-Id", identifier)
            head.add_defaults()
            self.status = head.line.code
            self._head_sent = True
        self._ended = last
        self._response.put(head, chunk, last)

    # -- the end --

    def _failed(self, error: BaseException) -> None:
        if self._response.disconnected and isinstance(error, StreamClosedError):
            if not self._head_sent:
                self.status = CLIENT_CLOSED_REQUEST
            return  # the client has disconnected, which is not an error in the application
        if self._observed is not None:
            self._observed.error = error
        app_log.error("Uncaught exception in a WSGI application: %s", self._summary, exc_info=error)
        if self._ended:
            return
        if self._head_sent:
            self._response.abort()
            return
        body = b"500 Internal Server Error\n"
        self._head = ResponseHead(
            "500 Internal Server Error", [("Content-Type", "text/plain; charset=UTF-8")]
        )
        self._head.set_length(len(body))
        try:
            self._put(b"" if self._bodiless() else body, last=True)
        except StreamClosedError:
            pass

    def _close(self, body: Any) -> None:
        """Call ``close()`` of the iterable, which PEP 3333 requires even after an error."""
        close = getattr(body, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception:
            app_log.error("Uncaught exception in close() of a WSGI application's body", exc_info=True)


def _as_bytes(chunk: Any) -> bytes:
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(chunk)
    raise TypeError(f"a WSGI application must yield bytes, got {type(chunk).__name__}: {chunk!r:.100}")
