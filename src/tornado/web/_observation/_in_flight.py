"""The requests in flight: age, route, peer, and the stack of the coroutine that serves each of them."""

from __future__ import annotations

import linecache
import sys
from types import CodeType
from typing import Any

from tornado.routing import pattern_of_route
from tornado.web._observation._call_graph import AwaitedTasks

__all__ = ["describe_requests", "stack_of"]

#: The maximum number of frames of a stack, and of requests in one list.
_MAX_FRAMES = 40
_MAX_REQUESTS = 200
#: The maximum size of a text of a client, in characters: all descriptions are sent in one message.
_MAX_TEXT = 2000


def describe_requests(
    observer: Any, limit: int = _MAX_REQUESTS, loop_thread: int | None = None
) -> list[dict[str, Any]]:
    """Return the requests in flight as values for JSON, the oldest first, but last those that wait by design.

    May be called from another thread, so that the requests of a blocked event loop can be listed. A handler
    without a coroutine has the stack of the event loop's thread then. A WSGI application has the stack of the
    thread that runs it.

    :param observer: an `Observer`.
    :param loop_thread: the identifier of the event loop's thread, if the caller is another thread.
    """
    # A copy, because the event loop's thread may change the dictionary.
    found = list(observer.in_flight.items())
    found.sort(key=lambda item: (item[0].is_waiting, -item[0].request_time()))
    awaited = None
    described = []
    for request, handler_class in found[:limit]:
        task = getattr(request.connection, "task", None)
        if task is not None and awaited is None:
            awaited = AwaitedTasks(task.get_loop())
        described.append(_describe(request, handler_class, loop_thread, awaited))
    return described


def _describe(
    request: Any, handler_class: type[Any], loop_thread: int | None, awaited: AwaitedTasks | None
) -> dict[str, Any]:
    connection = request.connection
    if request.gateway is not None and request.gateway.thread is not None:
        stack = _thread_stack(request.gateway.thread)
    elif (awaitable := _awaitable_of(connection)) is None and loop_thread is not None:
        stack = _thread_stack(loop_thread)
    else:
        stack = stack_of(awaitable)
        for task in awaited.of(awaitable) if awaited is not None else ():
            stack += [f"{task.get_name()}: {line}" for line in stack_of(task)]
            if len(stack) >= _MAX_FRAMES:
                break
        del stack[_MAX_FRAMES:]
    return {
        "id": request.id,
        "method": request.method[:_MAX_TEXT],
        "target": request.uri[:_MAX_TEXT],
        "route": pattern_of_route(request.matched_rule),
        "handler": f"{handler_class.__module__}.{handler_class.__qualname__}",
        "peer": request.remote_ip,
        "age": request.request_time(),
        "is_waiting": request.is_waiting,
        "is_connected": getattr(connection, "ended", False) is not True,
        "stack": stack,
    }


def _awaitable_of(connection: Any) -> Any:
    """Return the task of a request, or None if its handler runs without one or waits for its body."""
    task = getattr(connection, "task", None)
    return getattr(getattr(connection, "input", None), "waiting", None) if task is None else task


def stack_of(awaitable: Any) -> list[str]:
    """Return where a task or coroutine waits, from its own function to the innermost one.

    The chain continues through tasks and generators that are awaited. Each item has the form
    ``file.py:12 in function: source line``.
    """
    lines: list[str] = []
    seen: set[int] = set()
    while awaitable is not None and id(awaitable) not in seen and len(lines) < _MAX_FRAMES:
        seen.add(id(awaitable))
        get_coro = getattr(awaitable, "get_coro", None)
        if get_coro is not None:
            awaitable = get_coro()
            continue
        frame, following = _step(awaitable)
        if frame is not None:
            lines.append(_line(frame.f_code, frame.f_lineno))
        elif following is None and not lines:
            break
        if following is None:
            break
        awaitable = following
    return lines


def _thread_stack(thread: int | None) -> list[str]:
    """Return the innermost frames of a thread, the outermost of them first."""
    frame = None if thread is None else sys._current_frames().get(thread)
    lines: list[str] = []
    while frame is not None and len(lines) < _MAX_FRAMES:
        lines.append(_line(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return lines[::-1]


def _step(awaitable: Any) -> tuple[Any, Any]:
    """Return the frame of a coroutine or generator, and what it awaits."""
    for prefix, awaited in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
        frame = getattr(awaitable, f"{prefix}_frame", None)
        if frame is not None:
            return frame, getattr(awaitable, awaited, None)
    # The iterator of a Future or a task refers to it, but does not expose it.
    return None, None


def _line(code: CodeType, number: int) -> str:
    source = linecache.getline(code.co_filename, number).strip()
    text = f"{code.co_filename}:{number} in {code.co_qualname}"
    return f"{text}: {source}" if source else text
