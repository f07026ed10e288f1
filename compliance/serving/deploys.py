"""A program that cannot start, at the start and at a reload, and a certificate that is replaced."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from pathlib import Path
from typing import Any

from compliance.serving.certificates import Certificates
from compliance.serving.figures import Figures, rounded
from compliance.serving.load import load
from compliance.serving.process import Running
from compliance.serving.servers import Options, Server
from compliance.serving.waiting import PAUSE

_BROKEN = 'raise RuntimeError("this program is broken")\n'
#: How long an event is waited for, in seconds.
_WATCHED = 8.0
_CONNECTIONS = 8


async def broken_start(server: Server, **running: Any) -> Figures:
    """Start a program whose import fails."""
    async with Running(server, source=_BROKEN, waits=False, **running) as service:
        seconds = await service.until_ended(_WATCHED)
        output = service.output()
        return {
            "ended_seconds": rounded(seconds),
            "status": service.status,
            "tracebacks": output.count("RuntimeError: this program is broken"),
            "lines": len(output.splitlines()),
        }


async def broken_deploy(server: Server, **running: Any) -> Figures:
    """Reload a program that has become broken, under load; the old one should continue."""
    if server.reload_signal is None:
        return {"failed": None}
    async with Running(server, **running) as service, load(service.target, _CONNECTIONS) as counts:
        (service.folder / "app.py").write_text(_BROKEN)
        service.signal(server.reload_signal)
        await asyncio.sleep(_WATCHED / 2)
        try:
            await service.ask("/", 2.0)
            serves = service.status is None
        except OSError:
            serves = False
    return {
        "requests": counts.requests,
        "failed": counts.failed,
        "refused": counts.refused,
        "serves": serves,
        "tracebacks": service.last_output.count("RuntimeError: this program is broken"),
    }


async def certificate(server: Server, **running: Any) -> Figures:
    """Replace the files of the certificate; look at that of new connections, and keep one open."""
    with tempfile.TemporaryDirectory() as folder:
        files = Certificates(Path(folder))
        options = Options(certificate=files.files)
        async with Running(server, options, context=files.context, **running) as service:
            reader, writer = await service.target.open()
            first = _serial(writer)
            files.write()
            loop = asyncio.get_running_loop()
            began, seconds = loop.time(), None
            while seconds is None and loop.time() - began < _WATCHED:
                await asyncio.sleep(PAUSE * 10)
                if await _serial_of_new_connection(service) != first:
                    seconds = loop.time() - began
            kept = await _is_served(reader, writer)
            writer.close()
    return {"seconds": rounded(seconds), "connection_kept": kept}


def _serial(writer: asyncio.StreamWriter) -> str:
    connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
    return str((connection.getpeercert() or {})["serialNumber"])


async def _serial_of_new_connection(service: Running) -> str:
    _, writer = await service.target.open()
    serial = _serial(writer)
    writer.close()
    return serial


async def _is_served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    try:
        return (await reader.read()).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
