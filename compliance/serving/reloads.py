"""Workers replaced under load, a program that cannot start, and a replaced certificate."""

from __future__ import annotations

from typing import Any

from compliance.serving.figures import Figures, rounded
from compliance.serving.load import load
from compliance.serving.process import Running
from compliance.serving.processes import is_running
from compliance.serving.servers import Options, Server
from compliance.serving.waiting import until
from compliance.serving.websockets import store_in, websockets

CONNECTIONS = 64


async def reloads(
    server: Server, options: Options | None = None, *, number: int = 5, sockets: int = 0, **running: Any
) -> Figures:
    """Replace the workers five times under load; the last time, the program has changed."""
    async with Running(server, options, **running) as service:
        return await reload_under_load(service, service.target, number, sockets)


async def reload_under_load(service: Running, target: Any, number: int, sockets: int) -> Figures:
    """Replace the workers `number` times, with load on `target`, which may be a proxy."""
    server = service.server
    if server.reload_signal is None:
        return {"requests": 0, "failed": None}
    times = []
    async with websockets(target, sockets) as socket_counts, load(target, CONNECTIONS) as counts:
        await until(lambda: counts.requests > 200, 30.0)
        for index in range(number):
            if index == number - 1:
                source = (service.folder / "app.py").read_text()
                (service.folder / "app.py").write_text(source.replace('VERSION = "1"', 'VERSION = "2"'))
            old = {int(answer.split()[1]) for answer in counts.answers}
            old = {pid for pid in old if is_running(pid)}
            service.signal(server.reload_signal)
            times.append(await until(lambda old=old: not any(map(is_running, old)), 10.0))
            before = counts.requests
            await until(lambda before=before: counts.requests > before + 200, 5.0)
    figures: Figures = {
        "requests": counts.requests,
        "failed": counts.failed,
        "failures": dict(counts.failures),
        "resets": counts.resets,
        "refused": counts.refused,
        "reload_seconds": [rounded(each) for each in times],
        "changed": any(answer.startswith("2 ") for answer in counts.answers),
    }
    if sockets:
        lost, repeated = socket_counts.check(store_in(service.folder))
        figures |= {
            "websockets": sockets,
            "acknowledged": sum(socket_counts.acknowledged.values()),
            "lost": lost,
            "repeated": repeated,
            "closes": dict(socket_counts.closes),
            "handshakes_failed": dict(socket_counts.handshakes_failed),
        }
    return figures
