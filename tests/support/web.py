"""The internals of `tornado.web` that tests access.

A test of a name that programs use, such as ``RequestHandler._execute``, reaches it through this module too.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tornado.httputil import HTTPHeaders
from tornado.web import RequestHandler, StaticFileHandler, UploadedFile
from tornado.web._dispatch._allowed_hosts import AllowedHosts
from tornado.web._input._body_accumulator import BodyAccumulator

#: The private names of Tornado that programs read and write on handlers.
TORNADO_FLAGS = (
    "_headers_written",
    "_finished",
    "_auto_finish",
    "_status_code",
    "_reason",
    "_transforms",
    "_new_cookie",
    "_write_buffer",
)


def flags(handler: Any, *names: str) -> tuple[Any, ...]:
    """Return attributes of a handler that Tornado has, given without the underscore."""
    return tuple(getattr(handler, _checked(name)) for name in names)


def set_flags(handler: Any, **values: Any) -> None:
    """Set attributes of a handler that Tornado has, given without the underscore."""
    for name, value in values.items():
        setattr(handler, _checked(name), value)


def _checked(name: str) -> str:
    if f"_{name}" not in TORNADO_FLAGS:
        raise ValueError(f"expected one of {', '.join(TORNADO_FLAGS)}, got _{name}")
    return f"_{name}"


def header_fields(handler: Any) -> HTTPHeaders:
    """Return the header fields of a handler's response, as loggers of programs read them."""
    fields: HTTPHeaders = handler._headers
    return fields


def new_cookie_line(handler: Any, name: str) -> str:
    """Return the value of the Set-Cookie field for a cookie that the handler has set."""
    line: str = handler._new_cookie[name].OutputString(None)
    return line


def execute(handler: Any) -> Awaitable[None]:
    """Run a handler whose route has no groups, as programs do when one handler delegates to another."""
    result: Awaitable[None] = handler._execute([])
    return result


def wrap_execute(monkeypatch: pytest.MonkeyPatch, wrapper: Callable[..., Any]) -> None:
    """Replace ``RequestHandler._execute`` by a coroutine function, as programs do that trace requests.

    :param wrapper: receives the original coroutine function, and then the arguments of the call.
    """
    original = RequestHandler._execute
    assert inspect.iscoroutinefunction(original)

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        await wrapper(original, self, *args, **kwargs)

    monkeypatch.setattr(RequestHandler, "_execute", wrapped)


def is_unimplemented(method: Any) -> bool:
    """Whether a method of a handler class is the one that responds with 405, by which Jupyter compares."""
    return method is RequestHandler._unimplemented_method


def request_summary(handler: Any) -> str:
    """Return the part of the access log line that describes the request, which programs override."""
    summary: str = handler._request_summary()
    return summary


def streams_request_body(cls: type[RequestHandler]) -> bool:
    """Whether handlers of a class receive their request body in parts."""
    return cls._stream_request_body


def prepared_future(handler: Any) -> Any:
    """Return the Future that Tornado resolves when ``prepare`` has finished; None without a streamed body."""
    return handler._prepared_future


def set_prepared_future(handler: Any, future: Any) -> None:
    """Set the Future that Tornado resolves when ``prepare`` has finished."""
    handler._prepared_future = future


def clear_template_loaders() -> None:
    """Remove the template loaders of all handlers, and with them the compiled templates."""
    RequestHandler._template_loaders.clear()


def static_versions() -> Any:
    """Return the cached versions of static files, by path."""
    return StaticFileHandler._static_hashes


def cached_hosts(allowed: AllowedHosts) -> int:
    """Return the number of hosts for which the result is cached."""
    return len(allowed._allowed_cache)


def body_buffer(body: BodyAccumulator) -> Any:
    """Return the BytesIO object that contains the part of a request body that has arrived."""
    return body._buffer


async def remove(upload: UploadedFile) -> None:
    """Close an uploaded file and delete its temporary file, as the end of the request does."""
    await upload._remove()


def write_job(upload: UploadedFile) -> asyncio.Future[Any] | None:
    """Return the write to the disk that is in progress."""
    return upload._job


def waits_for_disk(upload: UploadedFile) -> bool:
    """Whether no more data is accepted until the disk has written some."""
    return upload._writable is not None


def unwritten_size(upload: UploadedFile) -> int:
    """Return the size of the data that waits to be written to the disk, in bytes."""
    return upload._unwritten_size


def is_temporary_file_closed(upload: UploadedFile) -> bool:
    """Whether the temporary file that the upload wrote is closed."""
    closed: bool = upload._temporary._raw.closed  # type: ignore[union-attr]
    return closed


def has_executed(handler: Any) -> bool:
    """Whether the method of an `UploadHandler` has returned."""
    executed: bool = handler._executed
    return executed
