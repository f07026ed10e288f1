"""Factories of the objects on which :mod:`tests.compat.names` looks up attributes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock


def stream(stack: ExitStack) -> Any:
    from tornado.iostream import IOStream

    ours, theirs = socket.socketpair()
    stack.callback(theirs.close)
    made = IOStream(ours)
    stack.callback(made.close)
    return made


def stream_buffer(stack: ExitStack) -> Any:
    from tornado.iostream import _StreamBuffer

    return _StreamBuffer()


def application(stack: ExitStack) -> Any:
    from tornado.web import Application

    return Application()


def handler(stack: ExitStack) -> Any:
    """Return a handler for a request whose connection is a mock, as in the tests of many programs."""
    from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
    from tornado.web import RequestHandler

    line = RequestStartLine("GET", "/", "HTTP/1.1")
    request = HTTPServerRequest(start_line=line, headers=HTTPHeaders(Host="localhost"), connection=Mock())
    made = RequestHandler(application(stack), request)
    made._transforms = []
    return made


def path_matcher(stack: ExitStack) -> Any:
    from tornado.routing import PathMatches

    return PathMatches("/a/(.*)")


def tcp_server(stack: ExitStack) -> Any:
    from tornado.tcpserver import TCPServer

    return TCPServer()


def http_server(stack: ExitStack) -> Any:
    from tornado.httpserver import HTTPServer

    return HTTPServer(application(stack))


def periodic_callback(stack: ExitStack) -> Any:
    from tornado.ioloop import PeriodicCallback

    made = PeriodicCallback(lambda: None, 1000)
    made.start()
    stack.callback(made.stop)
    return made


def condition(stack: ExitStack) -> Any:
    from tornado.locks import Condition

    return Condition()


def semaphore(stack: ExitStack) -> Any:
    from tornado.locks import Semaphore

    return Semaphore()


def queue(stack: ExitStack) -> Any:
    from tornado.queues import Queue

    return Queue()


def options(stack: ExitStack) -> Any:
    from tornado.options import options as the_options

    return the_options


def option(stack: ExitStack) -> Any:
    """Return the definition of an option, under the name that ``define`` stores."""
    return options(stack)._options["logging"]


def log_formatter(stack: ExitStack) -> Any:
    from tornado.log import LogFormatter

    return LogFormatter(color=False)


FACTORIES: dict[str, Callable[[ExitStack], Any]] = {
    "stream": stream,
    "stream buffer": stream_buffer,
    "application": application,
    "handler": handler,
    "tcp server": tcp_server,
    "http server": http_server,
    "path matcher": path_matcher,
    "periodic callback": periodic_callback,
    "condition": condition,
    "semaphore": semaphore,
    "queue": queue,
    "options": options,
    "option": option,
    "log formatter": log_formatter,
}
