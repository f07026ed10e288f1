"""Processes that are killed or blocked, and the duties of PID 1."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import Any

from compliance.serving.figures import Figures, rounded
from compliance.serving.process import Running
from compliance.serving.processes import is_running, zombies
from compliance.serving.servers import Options, Server
from compliance.serving.waiting import until

#: How long an event is waited for, in seconds.
WATCHED = 10.0
#: The options of the scenarios of a blocked event loop, in seconds.
HANG_TIMEOUT = 2
GRACE = 3
_UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc")


async def kill_supervisor(server: Server, **running: Any) -> Figures:
    """Kill the supervisor of idle workers, and start the server again at once."""
    async with Running(server, **running) as service:
        old = service.remaining() - {service.main}
        began = time.monotonic()
        service.signal(signal.SIGKILL)
        service.process.wait()
        gone, again = await asyncio.gather(
            until(lambda: not any(map(is_running, old)), WATCHED), _start_again(service, old)
        )
    return {
        "workers_gone_seconds": rounded(gone),
        "served_again_seconds": rounded(None if again is None else again - began),
    }


async def _start_again(service: Running, old: set[int]) -> float | None:
    """Start the server until it answers with a new process. Return the time, or None."""
    end = time.monotonic() + WATCHED
    service.start()
    while time.monotonic() < end:
        if service.process.poll() is not None:
            service.start()
        with contextlib.suppress(OSError):
            if await service.answering() not in old:
                return time.monotonic()
        await asyncio.sleep(0.01)
    return None


async def kill_worker(server: Server, **running: Any) -> Figures:
    """Kill one of two workers."""
    async with Running(server, **running) as service:
        old = await service.until_complete()
        victim = min(old)
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        seconds = await _until_replaced(service, old, began)
        return {"replaced_seconds": rounded(seconds), "serves": service.status is None}


async def _until_replaced(service: Running, old: set[int], began: float) -> float | None:
    """Wait until a process that is not in `old` answers. Return the seconds since `began`."""
    while time.monotonic() - began < WATCHED:
        answers = await asyncio.gather(
            *(service.answering_within(1.0) for _ in range(4)), return_exceptions=True
        )
        if any(isinstance(each, int) and each not in old for each in answers):
            return time.monotonic() - began
        await asyncio.sleep(0.01)
    return None


async def blocked_loop(server: Server, **running: Any) -> Figures:
    """Block the event loop of one of two workers for longer than the time-out."""
    options = Options(hang_timeout=HANG_TIMEOUT, grace=GRACE)
    async with Running(server, options, **running) as service:
        old = await service.until_complete()
        blocking = asyncio.create_task(service.ask("/block", 60.0))
        began = time.monotonic()
        replaced, gone = await asyncio.gather(
            _until_replaced(service, old, began), until(lambda: not all(map(is_running, old)), WATCHED)
        )
        blocking.cancel()
        await asyncio.wait([blocking])
    return {
        "hang_timeout": HANG_TIMEOUT,
        "grace": GRACE,
        "replaced_seconds": rounded(replaced),
        "ended_seconds": rounded(gone),
        "stack_logged": 'app.py", line' in service.last_output,
    }


async def stop_while_blocked(server: Server, **running: Any) -> Figures:
    """Send SIGTERM while the event loop of a worker is blocked."""
    async with Running(server, Options(grace=GRACE), **running) as service:
        blocking = asyncio.create_task(service.ask("/block", 60.0))
        await asyncio.sleep(0.2)
        service.signal(signal.SIGTERM)
        seconds = await service.until_ended(WATCHED + GRACE)
        status = service.status
        blocking.cancel()
        await asyncio.wait([blocking])
    return {"grace": GRACE, "seconds": rounded(seconds), "status": status}


async def pid_1(server: Server, **running: Any) -> Figures:
    """Run the server as PID 1: reap five processes of others, and end at SIGTERM."""
    options = Options(grace=GRACE)
    async with Running(server, options, prefix=_UNSHARE, complete=False, **running) as service:
        main = service.main
        with contextlib.suppress(OSError):
            await service.ask("/orphans")
        await asyncio.sleep(1.0)
        left = zombies(main)
        service.signal(signal.SIGTERM)
        seconds = await service.until_ended(WATCHED + GRACE)
        return {"zombies": left, "seconds": rounded(seconds), "status": service.status}


async def pid_1_cut(server: Server, **running: Any) -> Figures:
    """Run the server as PID 1, and end it with a request that takes longer than the grace."""
    options = Options(grace=GRACE)
    async with Running(server, options, prefix=_UNSHARE, complete=False, **running) as service:
        waiting = asyncio.create_task(service.ask("/wait?seconds=600", 60.0))
        await asyncio.sleep(0.2)
        service.signal(signal.SIGTERM)
        seconds = await service.until_ended(WATCHED + GRACE)
        status = service.status
        waiting.cancel()
        await asyncio.wait([waiting])
        return {"grace": GRACE, "seconds": rounded(seconds), "status": status}
