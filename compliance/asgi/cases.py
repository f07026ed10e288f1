"""The questions about a server, and functions that ask them; each returns the outcome as a short text."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

Case = Callable[[int], str]
_TIMEOUT = 10.0


def talk(port: int, data: bytes, *, half: bytes = b"") -> bytes:
    """Send `data`, and `half` after the first response bytes; read until the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as sock:
        sock.sendall(data)
        received = b""
        while block := sock.recv(65536):
            received += block
            if half:
                sock.sendall(half)
                half = b""
    return received


def request(path: str, *fields: str, method: str = "GET", version: str = "1.1", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def describe(data: bytes) -> str:
    """Return status, framing and body of a response."""
    if not data:
        return "closed without a response"
    head, _, body = data.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1].decode()
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lower:
        complete = body.endswith(b"\r\n\r\n")
        text = b"".join(re.findall(rb"[0-9a-fA-F]+\r\n(.*?)\r\n", body.removesuffix(b"0\r\n\r\n")))
        return f"{status}, chunked{'' if complete else ', incomplete'}, {text[:20]!r}"
    found = re.search(rb"\r\ncontent-length: *([0-9]+)", lower)
    if found is None:
        return f"{status}, {body[:20]!r}"
    return f"{status}, {'' if len(body) == int(found[1]) else 'incomplete, '}length {int(found[1])}"


def plain(path: str, *fields: str, **options: Any) -> Case:
    return lambda port: describe(talk(port, request(path, *fields, **options)))


def status(path: str, *fields: str, **options: Any) -> Case:
    """Ask for the status only, because the text of error pages differs."""
    return lambda port: plain(path, *fields, **options)(port).partition(",")[0]


def seen(port: int) -> list[str]:
    """Return what the application has noticed, when it has noticed something."""
    deadline = time.monotonic() + _TIMEOUT
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
        connection.request("GET", "/seen")
        found: list[str] = json.loads(connection.getresponse().read())
        connection.close()
        if (found and found[-1] != "http.disconnect") or time.monotonic() > deadline:
            return found
        if found and time.monotonic() > deadline - _TIMEOUT + 1.5:
            return found
        time.sleep(0.05)


def after(port: int) -> str:
    talk(port, request("/after"))
    return ", ".join(seen(port))


def leave(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as sock:
        sock.sendall(request("/leave"))
        sock.recv(65536)
    return ", ".join(seen(port))


def show(port: int) -> str:
    body = talk(port, request("/show/x%20%C3%A9%2F?a=%20")).partition(b"\r\n\r\n")[2]
    text = body[body.index(b"{") : body.rindex(b"}") + 1].decode()
    values = json.loads(text)
    return f"{values['path']} {values['raw_path']} {values['query_string']} {values['state']}"


def expectation(port: int) -> str:
    """Ask whether 100 Continue is sent before a rejection."""
    data = talk(port, request("/reject", "Content-Length: 3", "Expect: 100-continue", method="POST"))
    return "100, then 413" if b" 100 " in data[:20] else "413"


def open_socket(port: int, path: str, **options: Any) -> Any:
    """Connect without keepalive pings, whose thread could log an error after the case has ended."""
    address = f"ws://127.0.0.1:{port}{path}"
    return connect(address, open_timeout=_TIMEOUT, proxy=None, ping_interval=None, **options)


def handshake(path: str) -> Case:
    """Ask for the status of a rejected handshake."""

    def ask(port: int) -> str:
        try:
            with open_socket(port, path):
                return "101"
        except InvalidStatus as error:
            return str(error.response.status_code)
        except Exception as error:
            return f"no response ({type(error).__name__})"

    return ask


def closing(path: str) -> Case:
    """Ask for the close code and the reason that the server sends."""

    def ask(port: int) -> str:
        with open_socket(port, path) as client:
            try:
                client.recv(_TIMEOUT)
            except ConnectionClosed as error:
                close = error.rcvd
                return "no close frame" if close is None else f"{close.code} {close.reason}".strip()
        return "a message"

    return ask


def echo(port: int) -> str:
    with open_socket(port, "/ws", subprotocols=["a", "b"]) as client:
        client.send("text")
        client.send(b"bytes")
        return f"{client.subprotocol}, {client.recv()!r}, {client.recv()!r}"


def closed_by_client(code: int, reason: str) -> Case:
    def ask(port: int) -> str:
        with open_socket(port, "/ws") as client:
            client.close(code, reason)
        return ", ".join(seen(port))

    return ask


def lost(port: int) -> str:
    client = open_socket(port, "/ws")
    client.socket.shutdown(socket.SHUT_RDWR)
    client.socket.close()
    return ", ".join(seen(port))


#: The cases by their titles in the table.
PROBES: dict[str, Case] = {
    "scope: path, raw_path, query, state": show,
    "request body": plain("/echo", "Content-Length: 3", method="POST", body=b"abc"),
    "chunked request body": plain(
        "/echo", "Transfer-Encoding: chunked", method="POST", body=b"3\r\nabc\r\n0\r\n\r\n"
    ),
    "`Expect: 100-continue`, rejected": expectation,
    "response with one part": plain("/one"),
    "response with two parts": plain("/two"),
    "two parts, HTTP/1.0": plain("/two", version="1.0"),
    "HEAD": status("/one", method="HEAD"),
    "204": status("/no-content"),
    "`transfer-encoding` set by the application": plain("/coding"),
    "body longer than content-length": plain("/long"),
    "body shorter than content-length": plain("/short"),
    "line break in a header": status("/newline"),
    "body before start": status("/order"),
    "exception before the response": status("/fail"),
    "exception in the response": plain("/fail-later"),
    "return without a response": status("/nothing"),
    "return in the response": plain("/unfinished"),
    "`receive` after the response": after,
    "client leaves: `receive`, then `send`": leave,
    "WebSocket: subprotocol and echo": echo,
    "close before accept": handshake("/ws/close-first"),
    "denial response 418": handshake("/ws/deny"),
    "return before accept": handshake("/ws/ignore"),
    "exception before accept": handshake("/ws/fail-first"),
    "close 4000 by the application": closing("/ws/close"),
    "return after accept": closing("/ws/return"),
    "exception after accept": closing("/ws/fail"),
    "close 4001 by the client, then `send`": closed_by_client(4001, "bye"),
    "lost connection, then `send`": lost,
}


def _http(method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Case:
    def ask(port: int) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, path, body or None, {"Content-Type": kind})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        shown = f"{len(data)} bytes" if len(data) > 100 else data.decode()
        return f"{response.status} {shown}"

    return ask


def _later(port: int) -> str:
    first = _http("GET", "/later")(port)
    deadline = time.monotonic() + _TIMEOUT
    while not (second := _http("GET", "/result")(port)).endswith("done") and time.monotonic() < deadline:
        time.sleep(0.02)
    return f"{first}, {second}"


def _failure(port: int) -> str:
    return _http("GET", "/fail")(port).partition(" ")[0]


def _framework_socket(port: int) -> str:
    with open_socket(port, "/ws", subprotocols=["echo"]) as client:
        client.send("ä")
        text = client.recv()
        client.send("bye")
        try:
            client.recv(_TIMEOUT)
        except ConnectionClosed as error:
            close = error.rcvd
            return (
                f"{client.subprotocol} {text} {close.code if close else None} {close.reason if close else ''}"
            )
    return "not closed"


#: The cases of the applications in ``tests/asgi/applications``.
FRAMEWORK: dict[str, Case] = {
    "text": _http("GET", "/hello/a"),
    "JSON": _http("POST", "/json", b'{"a": 1}'),
    "upload of 30 MB": _http("POST", "/upload", bytes(30_000_000), "application/octet-stream"),
    "download of 50 MB": _http("GET", "/download"),
    "event stream": _http("GET", "/events"),
    "background task": _later,
    "exception": _failure,
    "lifespan": _http("GET", "/state"),
    "WebSocket": _framework_socket,
}

__all__ = ["FRAMEWORK", "PROBES", "Case"]
