"""The attacks: ``python -m compliance.abuse.attacks NAME PORT SECONDS SCALE`` runs one of them.

It prints a line when it is ready, and starts when it receives one.

Each attack is a function of the port, the maximum duration in seconds, and the scale (1 is full size). It
returns its outcome; ``sent`` is the number of bytes that it sent.
"""

from __future__ import annotations

import functools
import gzip
import json
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from compliance.abuse import websockets
from compliance.abuse.herd import FIRST_SOURCE, Herd

Outcome = dict[str, Any]
Attack = Callable[[int, float, float], Outcome]
ATTACKS: dict[str, Attack] = dict(websockets.ATTACKS)

_HEAD = b"POST %b HTTP/1.1\r\nHost: x\r\n"
_BOUNDARY = b"----x"
_FORM = b"Content-Type: multipart/form-data; boundary=" + _BOUNDARY + b"\r\n"
_DISPOSITION = b'Content-Disposition: form-data; name="a"'


#: The sizes in bytes to which the bodies inflate.
_FIVE, _BOMB = 95_000_000, 1_030_000_000


def attack(function: Attack) -> Attack:
    """Register a function under its name."""
    ATTACKS[function.__name__] = function
    return function


def _counted(number: float, scale: float) -> int:
    return max(1, int(number * scale))


def _trickle(herd: Herd, seconds: float, drop: bytes) -> Outcome:
    """Send `drop` once per second on each connection, until all are closed or `seconds` have passed."""
    end = time.monotonic() + seconds
    while herd.held and time.monotonic() < end:
        if drop:
            herd.add(drop)
        herd.run(1.0)
    outcome = herd.outcome()
    herd.close()
    return outcome


# -- holding connections --


@attack
def slow_head(port: int, seconds: float, scale: float) -> Outcome:
    """Connections that send one byte of a request head per second."""
    return _trickle(Herd(port, _counted(300, scale), b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "), seconds, b"a")


@attack
def slow_body(port: int, seconds: float, scale: float) -> Outcome:
    """Connections that send one byte of a request body per second."""
    head = _HEAD % b"/body" + b"Content-Length: 1000000\r\n\r\n"
    return _trickle(Herd(port, _counted(300, scale), head), seconds, b"a")


@attack
def silent(port: int, seconds: float, scale: float) -> Outcome:
    """Connections without any data; on a TLS port, without a ClientHello."""
    return _trickle(Herd(port, _counted(1000, scale), sources=20), seconds, b"")


@attack
def headerless(port: int, seconds: float, scale: float) -> Outcome:
    """Ten thousand connections with a request line, no fields, and no end of the head."""
    return _trickle(Herd(port, _counted(10_000, scale), b"GET / HTTP/1.1\r\n", sources=250), seconds, b"")


@attack
def half_open(port: int, seconds: float, scale: float) -> Outcome:
    """Connections that are half-closed immediately and kept open otherwise."""
    herd = Herd(port, _counted(3000, scale), b"GET / HTTP/1.1\r\nHost: x\r\n", sources=60)
    herd.run(0.2)
    herd.each(lambda sock: sock.shutdown(socket.SHUT_WR))
    return _trickle(herd, seconds, b"")


@attack
def leaving(port: int, seconds: float, scale: float) -> Outcome:
    """Five times, clients that disconnect together: half of them are idle, half wait for a response."""
    count = _counted(1500, scale)
    opened = sent = 0
    for _ in range(5):
        idle = Herd(port, count, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", sources=60)
        waiting = Herd(port, count, b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", sources=60)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not all(member.received for member in idle.members):
            idle.run(0.05)
        waiting.run(0.2)
        for herd in (idle, waiting):
            opened += len(herd.members)
            sent += herd.sent
            herd.close()
        time.sleep(0.5)  # the server processes the disconnects while the probe measures
    return {"opened": opened, "sent": sent}


@attack
def descriptors(port: int, seconds: float, scale: float) -> Outcome:
    """Keep more connections open than the server has file descriptors, from several addresses."""
    return _trickle(Herd(port, _counted(600, scale), sources=8), seconds, b"")


@attack
def slow_reader(port: int, seconds: float, scale: float) -> Outcome:
    """Requests for large responses that are not read."""
    request = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
    herd = Herd(port, _counted(80, scale), request, reads=False, small=True)
    end = time.monotonic() + seconds
    herd.run(1.0)
    while time.monotonic() < end and herd.held:
        # Without reading, a closed connection only shows as an error when something is sent.
        herd.each(_look)
        time.sleep(0.5)
        herd.run(0)
    outcome = herd.outcome()
    herd.close()
    return outcome


def _look(sock: socket.socket) -> None:
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    if info[0] not in (1, 2):  # neither ESTABLISHED nor SYN_SENT
        raise OSError


# -- expensive requests --


@contextmanager
def _connection(port: int) -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind((FIRST_SOURCE, 0))
        sock.settimeout(60)
        sock.connect(("127.0.0.1", port))
        yield sock


def _ask(port: int, request: bytes) -> tuple[str, int]:
    """Send a request on a separate connection; return the status and the number of bytes sent."""
    with _connection(port) as sock:
        try:
            sock.sendall(request)
        except OSError:
            pass
        try:
            answer = sock.recv(65536)
        except OSError:
            answer = b""
        return (answer.split(b" ", 2)[1].decode() if answer else "closed"), len(request)


def _asked(port: int, *requests: bytes) -> Outcome:
    answers: dict[str, int] = {}
    sent = 0
    for request in requests:
        code, size = _ask(port, request)
        answers[code] = answers.get(code, 0) + 1
        sent += size
    return {"answers": answers, "sent": sent}


def _post(path: bytes, fields: bytes, body: bytes) -> bytes:
    return _HEAD % path + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


@functools.cache
def _zeros(size: int) -> bytes:
    return gzip.compress(bytes(size), 9, mtime=0)


@attack
def gzip_five(port: int, seconds: float, scale: float) -> Outcome:
    """Five concurrent gzip bodies of 92 kB, each of which inflates to 95 MB."""
    body = _zeros(_counted(_FIVE, scale))
    request = _post(b"/body", b"Content-Encoding: gzip\r\n", body)
    herd = Herd(port, 5, request)
    end = time.monotonic() + max(seconds, 20)
    while time.monotonic() < end and any(not each.received and not each.closed_at for each in herd.members):
        herd.run(0.1)
    outcome = herd.outcome()
    herd.close()
    return outcome


@attack
def gzip_bomb(port: int, seconds: float, scale: float) -> Outcome:
    """A gzip body of 1 MB that would inflate to 1 GB."""
    packed = _zeros(_counted(_BOMB, scale))
    return _asked(port, _post(b"/body", b"Content-Encoding: gzip\r\n", packed))


@attack
def gzip_members(port: int, seconds: float, scale: float) -> Outcome:
    """A gzip body of 1 MB with fifty thousand empty members."""
    packed = _zeros(0) * _counted(50_000, scale)
    return _asked(port, _post(b"/body", b"Content-Encoding: gzip\r\n", packed))


def _multipart(blocks: list[bytes]) -> bytes:
    parts = b"".join(b"--" + _BOUNDARY + b"\r\n" + block + b"\r\n\r\nx\r\n" for block in blocks)
    return _post(b"/form", _FORM, parts + b"--" + _BOUNDARY + b"--\r\n")


@attack
def multipart_headers(port: int, seconds: float, scale: float) -> Outcome:
    """Forms of 99 parts, each with slow-to-parse headers of 10 KiB: one request for each kind of header."""
    size = 10_000
    nasty = [
        _DISPOSITION + b'; filename="' + b'\\"' * (size // 2) + b'"',
        _DISPOSITION + b";a=b" * (size // 4),
        _DISPOSITION + b";" * size,
        _DISPOSITION + b'; filename="' + b'"; "' * (size // 4),
        _DISPOSITION + b"; a*0=b" * (size // 7),
        _DISPOSITION + b"; filename*=utf-8''" + b"%41" * (size // 3),
        _DISPOSITION + b"".join(b"\r\na%d: b" % number for number in range(size // 9)),
        _DISPOSITION + b"\r\na: b" * (size // 6),
        _DISPOSITION + b"\r\na:" + b" " * size,
    ]
    count = _counted(99, scale)
    return _asked(port, *(_multipart([block[: size + 200]] * count) for block in nasty))


@attack
def tiny_chunks(port: int, seconds: float, scale: float) -> Outcome:
    """A body of a million chunks of one byte."""
    body = b"1\r\nx\r\n" * _counted(1_000_000, scale) + b"0\r\n\r\n"
    return _asked(port, _HEAD % b"/body" + b"Transfer-Encoding: chunked\r\n\r\n" + body)


@attack
def many_fields(port: int, seconds: float, scale: float) -> Outcome:
    """Heads of 20,000 fields, and heads with as many fields as fit in 64 KiB."""
    line = b"GET / HTTP/1.1\r\nHost: x\r\n"
    large = line + b"".join(b"a%d:b\r\n" % number for number in range(_counted(20_000, scale))) + b"\r\n"
    small = line + b"".join(b"a%d:b\r\n" % number for number in range(_counted(990, scale))) + b"\r\n"
    return _asked(port, *[large] * 5, *[small] * 100)


@attack
def many_parts(port: int, seconds: float, scale: float) -> Outcome:
    """Forms of 100,000 parts, and of 100,000 fields."""
    count = _counted(100_000, scale)
    fields = b"&".join(b"a%d=b" % number for number in range(count))
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    return _asked(port, _multipart([_DISPOSITION] * count), _post(b"/form", kind, fields))


_URLENCODED = b"Content-Type: application/x-www-form-urlencoded\r\n"
_MIB = 2**20


def _repeated(unit: bytes, size: float, scale: float) -> bytes:
    return unit * _counted(size / len(unit), scale)


@attack
def unread_form(port: int, seconds: float, scale: float) -> Outcome:
    """A form of 30 MB of escapes for a handler that does not read the arguments."""
    return _asked(port, _post(b"/body", _URLENCODED, b"a=" + _repeated(b"%41", 30e6, scale)))


@attack
def read_forms(port: int, seconds: float, scale: float) -> Outcome:
    """Several kinds of slow-to-decode forms of 1 MiB, the limit of "public", and a larger form."""
    units = [b"%41", b"%", b"%z", b"=%", b"%41=", b"+", b"\n%41", b"%%41"]
    bodies = [b"a=" + _repeated(unit, _MIB - 16, scale) for unit in units]
    near_misses = _repeated(b"\r\n--" + _BOUNDARY[:-1] + b"y", _MIB - 200, scale)
    multipart = b"--%b\r\n%b\r\n\r\n%b\r\n--%b--" % (_BOUNDARY, _DISPOSITION, near_misses, _BOUNDARY)
    requests = [_post(b"/form", _URLENCODED, body) for body in bodies]
    requests.append(_post(b"/form", _FORM, multipart))
    return _asked(port, *requests, _post(b"/form", _URLENCODED, b"a" * (_MIB + 1)))


@attack
def json_bodies(port: int, seconds: float, scale: float) -> Outcome:
    """Several kinds of slow-to-decode JSON of 128 KiB, the limit of "public"."""
    deep = b"[" * 50 + b"]" * 50 + b","
    units = [
        b"[],",
        b'{"a":1},',
        b'{"a":{}},',
        b'"a:b",',
        b"1.5,",
        b"1e5,",
        b'"\\ud83d\\ude00",',
        b"9" * 4000 + b",",
        deep,
    ]
    bodies = [b"[" + _repeated(unit, 128 * 1024 - 16, scale) + b"0]" for unit in units]
    kind = b"Content-Type: application/json\r\n"
    return _asked(port, *(_post(b"/json", kind, body) for body in [*bodies, b"[" * (128 * 1024)]))


@attack
def parameters(port: int, seconds: float, scale: float) -> Outcome:
    """Slow-to-parse Accept and Content-Type fields of 30 KB; the error page depends on them."""
    values = [
        b"a/b" + b";a=b" * 7000 + b"@",
        b'a/b;a="' + b'\\"' * 14_000,
        b"a/b" + b'; a=""' * 4500,
        b"a/b," * 7000,
    ]
    fields = [b"Content-Type: application/json\r\nAccept: " + value + b"\r\n" for value in values]
    fields += [b"Content-Type: " + value + b"\r\n" for value in values]
    return _asked(port, *[_post(b"/json", field, b"{") for field in fields] * _counted(5, scale))


@attack
def cookies_and_ranges(port: int, seconds: float, scale: float) -> Outcome:
    """Slow-to-parse cookies and ranges of 30 KB."""
    line = b"GET %b HTTP/1.1\r\nHost: x\r\n"
    cookies = [b"a=b; " * 6000, b'a="' + b"\\012" * 7500 + b'"', b";" * 30_000, b'a="' * 10_000]
    ranges = [b"bytes=" + b"0-0," * 7000 + b"0-0", b"bytes=" + b"9" * 30_000 + b"-"]
    requests = [line % b"/cookies" + b"Cookie: " + each + b"\r\n\r\n" for each in cookies]
    requests += [line % b"/static/app.py" + b"Range: " + each + b"\r\n\r\n" for each in ranges]
    return _asked(port, *requests * _counted(10, scale))


@attack
def resets(port: int, seconds: float, scale: float) -> Outcome:
    """Five thousand connections that are reset in the middle of a request."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n"
    count = _counted(5000, scale)
    for _ in range(count):
        with socket.socket() as sock:
            sock.bind((FIRST_SOURCE, 0))
            sock.connect(("127.0.0.1", port))
            sock.send(request)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return {"opened": count, "sent": count * len(request)}


@attack
def pipelining(port: int, seconds: float, scale: float) -> Outcome:
    """Send as many requests on one connection as the server accepts, without reading the responses."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    block, sent = request * 1000, 0
    end = time.monotonic() + seconds
    with _connection(port) as sock:
        sock.settimeout(1)
        while time.monotonic() < end and sent < 100_000_000 * scale:
            try:
                sent += sock.send(block)
            except TimeoutError:
                continue
            except OSError:
                break
    return {"sent": sent}


def main() -> None:
    """Run one attack and print its outcome."""
    name, port, seconds, scale = sys.argv[1:]
    # Generated once and reused, so it is not part of the attack's cost.
    _zeros(_counted({"gzip_five": _FIVE, "gzip_bomb": _BOMB}.get(name, 1), float(scale)))
    websockets.bomb()
    print("ready", flush=True)
    sys.stdin.readline()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    begin = time.monotonic()
    outcome = ATTACKS[name](int(port), float(seconds), float(scale))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    outcome["cpu"] = usage.ru_utime + usage.ru_stime - before
    outcome["memory"] = (usage.ru_maxrss - memory) * 1024
    outcome["seconds"] = time.monotonic() - begin
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
