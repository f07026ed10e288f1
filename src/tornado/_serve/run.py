"""Serves an application in this process: `tornado.web.run`, and ``serve`` with one worker."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tornado._http_server_options import HTTPServerOptions
from tornado._serve import lifecycle
from tornado._serve.bind import FORMS, Bind, BindKind, parse_bind
from tornado._serve.certificates import WatchedContext
from tornado._serve.listeners import Listener, ListenError, open_listener
from tornado._serve.stop_signals import StopSignals
from tornado._serve.target import LoadedTarget, adopt


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a `Service` serves.

    :ivar options: the arguments of `.HTTPServer`.
    :ivar grace: the maximum time for requests to finish at the end, in seconds.
    :ivar drain_delay: the time between the signal and the end of accepting, in seconds.
    :ivar certificate: the TLS context whose files are watched; None without TLS, or with ``ssl_options``.
    """

    options: HTTPServerOptions = field(default_factory=HTTPServerOptions)
    grace: float = 30.0
    drain_delay: float = 0.0
    certificate: WatchedContext | None = None


class Service:
    """One application on its listeners, in the current event loop, from start-up to the end of the drain.

    :param target: the application, or a factory, which is called in the event loop.
    :param listeners: the sockets. They accept connections after the start-up, and are closed at the end.
    """

    def __init__(
        self, target: LoadedTarget, listeners: Sequence[Listener], settings: ServiceSettings
    ) -> None:
        self._target = target
        self._listeners = listeners
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested = asyncio.Event()
        self._stops_early = False

    async def run(self, started: Callable[[], object]) -> bool:
        """Serve until `stop` is called.

        :param started: called when connections are accepted.
        :returns: whether all requests have ended normally.
        :raises ProgramError: if the target cannot be served. Errors of the application's start-up propagate.
        """
        self._loop = asyncio.get_running_loop()
        if self._stops_early:
            return True
        settings = self._settings
        target = await self._target.resolve()
        options = settings.options
        if settings.certificate is not None:
            options = {**options, "ssl_options": settings.certificate.context}
        server = target.make_server(**options)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(lifecycle.lifespan_of(target.application))
            for listener in self._listeners:
                server.add_sockets(listener.sockets)
            if settings.certificate is not None:
                watching = asyncio.create_task(settings.certificate.watch())
                stack.callback(watching.cancel)
            started()
            await self._stop_requested.wait()
            await asyncio.sleep(settings.drain_delay)
            return await lifecycle.drain(server, settings.grace)

    def stop(self) -> None:
        """Drain and end. It may be called in a signal handler and in any thread; a second call does "
        "nothing."""
        if self._loop is None:
            self._stops_early = True
        else:
            self._loop.call_soon_threadsafe(self._stop_requested.set)


def serve_until_signal(
    target: LoadedTarget,
    listeners: Sequence[Listener],
    settings: ServiceSettings,
    started: Callable[[], object],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> bool:
    """Serve in a new event loop until SIGTERM or SIGINT, and close the listeners.

    :param started: called when connections are accepted.
    :returns: whether all requests have ended normally.
    """
    service = Service(target, listeners, settings)

    def close() -> None:
        for listener in listeners:
            listener.close()

    try:
        with StopSignals(service.stop, close), asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(service.run(started))
    finally:
        close()


def run_program(
    application: Any,
    port: int,
    address: str | None,
    bind: str | Sequence[str] | None,
    settings: ServiceSettings,
) -> None:
    """Serve the application of a program; see `tornado.web.run`."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            "run() starts an event loop, but one is running in this thread; in a coroutine, call "
            "application.listen()"
        )
    target = adopt(application, "run()")
    secure = settings.options.get("ssl_options") is not None
    try:
        listeners = _open(port, address, bind)
    except ListenError as error:
        sys.exit(str(error))

    def announce() -> None:
        for listener in listeners:
            place = listener.url("https" if secure else "http") or listener.address
            sys.stdout.write(f"listening on {place}\n")
        sys.stdout.flush()

    serve_until_signal(target, listeners, settings, announce)


def _open(port: int, address: str | None, bind: str | Sequence[str] | None) -> list[Listener]:
    """Open the addresses of a program; if one fails, close the others."""
    binds = [Bind(BindKind.TCP, address or "", port)]
    if bind is not None:
        binds = [_parse(each) for each in ([bind] if isinstance(bind, str) else bind)]
    listeners: list[Listener] = []
    try:
        for each in binds:
            listeners += [open_listener(each)]
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _parse(text: str) -> Bind:
    try:
        return parse_bind(text)
    except ValueError as error:
        reason = f" ({error})" if str(error) else ""
        raise ValueError(f"run: bind must be {FORMS}, got {text!r}{reason}") from None


__all__ = ["Service", "ServiceSettings", "run_program", "serve_until_signal"]
