"""Serves an application in this process: `tornado.web.run`, and ``serve`` with one worker."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tornado._http_server_options import HTTPServerOptions
from tornado._serve import lifespan, log_setup
from tornado._serve.bind import FORMS, Bind, BindKind, parse_bind
from tornado._serve.certificates import WatchedContext
from tornado._serve.listeners import Listener, ListenError, open_listener
from tornado._serve.stop_signals import StopSignals
from tornado._serve.target import LoadedTarget, adopt
from tornado.httpserver import HTTPServer
from tornado.netutil._port_numbers import check_port


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a `Service` serves.

    :ivar options: the arguments of `.HTTPServer`.
    :ivar grace: the maximum time for requests to finish at the end, in seconds.
    :ivar drain_delay: the time between the signal and the end of accepting, in seconds.
    :ivar batch_size: the maximum number of WebSockets, event streams and long polls that end at a time.
    :ivar batch_interval: the time between two batches, in seconds.
    :ivar certificate: the TLS context whose files are watched; None without TLS, or with ``ssl_options``.
    :ivar on_server: called with the server before it accepts connections.
    """

    options: HTTPServerOptions = field(default_factory=HTTPServerOptions)
    grace: float = 30.0
    drain_delay: float = 0.0
    batch_size: int = 500
    batch_interval: float = 0.1
    certificate: WatchedContext | None = None
    on_server: Callable[[HTTPServer], object] = lambda server: None


class StoppedAtStart(BaseException):
    """Raised by the first signal while the program is loaded: no request has been accepted yet.

    It is not an Exception, so that the program's own handlers of errors do not catch it.
    """


class Service:
    """One application on its listeners, in one event loop, from start-up to the end of the drain.

    :ivar listeners: the open listeners; `close` closes them.
    :ivar grace: the maximum time for requests to finish at the end, in seconds.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.listeners: list[Listener] = []
        self._settings = settings
        self.grace, self._drain_delay = settings.grace, settings.drain_delay
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested = asyncio.Event()
        #: The task of `run` until connections are accepted.
        self._starting: asyncio.Task[Any] | None = None

    async def run(self, loaded: LoadedTarget, started: Callable[[], object]) -> bool:
        """Serve until `stop` is called.

        :param loaded: the application, or a factory, which is called here.
        :param started: called when connections are accepted.
        :returns: whether all requests have ended normally.
        :raises ProgramError: if the target cannot be served. Errors of the application's start-up propagate.
        """
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.current_task()
        settings = self._settings
        target = await loaded.resolve()
        options = settings.options
        if settings.certificate is not None:
            options = {**options, "ssl_options": settings.certificate.context}
        server = target.make_server(**options)
        settings.on_server(server)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(lifespan.lifespan_of(target.application))
            for listener in self.listeners:
                server.add_sockets(listener.sockets)
            if settings.certificate is not None:
                watching = asyncio.create_task(
                    settings.certificate.watch(functools.partial(setattr, server, "ssl_options"))
                )
                stack.callback(watching.cancel)
            self._starting = None
            started()
            await self._stop_requested.wait()
            await asyncio.sleep(self._drain_delay)
            result = await server.drain(
                self.grace, batch_size=settings.batch_size, batch_interval=settings.batch_interval
            )
            return result.clean

    def stop(self, grace: float | None = None, delay: float | None = None) -> None:
        """Drain and end, or cancel the start-up. It is called in a signal handler, or in any thread.

        :param grace: the maximum time for current requests, in seconds; by default that of the settings.
        :param delay: the time before the end of accepting, in seconds; by default that of the settings.
        :raises StoppedAtStart: if the event loop does not run yet.
        """
        if not self._stop_requested.is_set():
            self.grace = self.grace if grace is None else grace
            self._drain_delay = self._drain_delay if delay is None else delay
        if self._loop is None:
            raise StoppedAtStart
        self._loop.call_soon_threadsafe(self._stop_in_loop)

    def _stop_in_loop(self) -> None:
        self._stop_requested.set()
        if self._starting is not None:
            self._starting.cancel()

    def close(self) -> None:
        """Close the listeners, and remove the files of their Unix sockets."""
        for listener in self.listeners:
            listener.close()


def serve_until_signal(
    service: Service,
    prepare: Callable[[], LoadedTarget],
    started: Callable[[], object],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> bool:
    """Serve in a new event loop until SIGTERM or SIGINT, and close the listeners.

    :param prepare: opens the service's listeners and returns its target. A signal in the meantime ends it.
    :param started: called when connections are accepted.
    :returns: whether all requests have ended normally.
    """
    try:
        with StopSignals(service.stop, service.close):
            loaded = prepare()
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(service.run(loaded, started))
    except (StoppedAtStart, asyncio.CancelledError):
        return True  # no request has been accepted
    finally:
        service.close()


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
    check_port(port)
    log_setup.set_up_unless_configured()
    binds = [Bind(BindKind.TCP, address or "", port)]
    if bind is not None:
        binds = [_parse(each) for each in ([bind] if isinstance(bind, str) else bind)]
    scheme = "http" if settings.options.get("ssl_options") is None else "https"
    service = Service(settings)

    def prepare() -> LoadedTarget:
        for each in binds:
            service.listeners.append(open_listener(each))
        return target

    def announce() -> None:
        for listener in service.listeners:
            sys.stdout.write(f"listening on {listener.url(scheme) or listener.address}\n")
        sys.stdout.flush()

    try:
        serve_until_signal(service, prepare, announce)
    except ListenError as error:
        sys.exit(str(error))


def _parse(text: str) -> Bind:
    try:
        return parse_bind(text)
    except ValueError as error:
        reason = f" ({error})" if str(error) else ""
        raise ValueError(f"run: bind must be {FORMS}, got {text!r}{reason}") from None


__all__ = ["Service", "StoppedAtStart", "ServiceSettings", "run_program", "serve_until_signal"]
