"""A worker: the child process of the supervisor that loads the program and serves it."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tornado._serve import observation, privileges
from tornado._serve.bind import BindKind
from tornado._serve.certificates import CertificateError, WatchedContext
from tornado._serve.configuration import Configuration
from tornado._serve.fair_accept import FairListener
from tornado._serve.heartbeat_thread import HeartbeatThread
from tornado._serve.in_process import Service, ServiceSettings, StoppedAtStart
from tornado._serve.listeners import Listener
from tornado._serve.program_error import ProgramError
from tornado._serve.target import LoadedTarget
from tornado._serve.worker_pool import WorkerContext
from tornado._serve.worker_queries import WorkerQueries
from tornado.httpserver import HTTPServer, HTTPServerOptions, RequestCount
from tornado.ioloop import IOLoop
from tornado.iostream._core import open_streams
from tornado.log import app_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: Signals for the supervisor that the whole process group receives, for example from a terminal. They have
#: handlers because a program that the worker starts would inherit ignored signals.
_FOR_SUPERVISOR = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU)
#: The maximum time for sending the last counts, in seconds: those of many routes exceed a socket's buffer.
_FINAL_TIME = 1.0
#: The maximum size of the text about a failed start, in characters. The end of a traceback says what failed.
_MAX_REPORT = 100_000
#: Time between two checks of the health, in seconds, and the time for which a result counts.
_HEALTH_INTERVAL, _HEALTH_TIME = 1.0, 3.0


@dataclass(frozen=True)
class Program:
    """What a worker serves, and how.

    :ivar load: loads the program.
    :ivar listeners: the open listeners of the supervisor.
    :ivar options: the arguments of `.HTTPServer`.
    :ivar loop_factory: creates the event loop; None stands for asyncio's.
    """

    configuration: Configuration
    load: Callable[[], LoadedTarget]
    listeners: list[Listener]
    options: HTTPServerOptions
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None


def run_worker(context: WorkerContext, program: Program) -> int:
    """Run a worker in its process, and return the exit status: 0 if all its requests have ended normally."""
    return Worker(context, program).run()


class Worker:
    """One worker. It implements `.heartbeat_thread.Served`."""

    def __init__(self, context: WorkerContext, program: Program) -> None:
        self._context = context
        self._program = program
        self._service = Service(ServiceSettings())
        self._loop: asyncio.AbstractEventLoop | None = None
        #: The streams of the event loop, whose number is that of the connections.
        self._streams: set[Any] = set()
        #: The number of requests; it remains 0 without ``--max-requests``.
        self._requests = RequestCount()
        self._application: object = None
        self._server: HTTPServer | None = None
        #: Whether it has a problem, so that others should accept connections in its place.
        self._has_problem = False
        #: Whether it has no room for more connections, as it was last reported to the other workers.
        self._is_full = False
        self._queries = WorkerQueries()
        self._last_snapshot: dict[str, Any] | None = None
        self._stage = "import"

    def run(self) -> int:
        """Serve until the supervisor, or SIGTERM, ends the worker."""
        # It works while the event loop is blocked, because the handler is written in C.
        try:
            faulthandler.register(signal.SIGQUIT, self._context.stacks.fileno(), all_threads=True)
            faulthandler.enable(self._context.stacks.fileno())
        except (RuntimeError, OSError, ValueError):
            signal.signal(signal.SIGQUIT, _ignore)
        for number in _FOR_SUPERVISOR:
            signal.signal(number, _ignore)
        try:
            return self._serve()
        except StoppedAtStart:
            return 0
        except asyncio.CancelledError:
            return 0  # stopped during the start-up
        except BaseException as error:
            self._context.channel.send("failed", stage=self._stage, report=self._report(error)[-_MAX_REPORT:])
            return 1

    def _serve(self) -> int:
        configuration = self._program.configuration
        certificate = WatchedContext(configuration) if configuration.certificate is not None else None
        privileges.drop(configuration.user, configuration.group)
        settings = ServiceSettings(
            options=self._program.options,
            grace=configuration.grace,
            drain_delay=configuration.drain_delay,
            batch_size=configuration.drain_batch_size,
            batch_interval=configuration.drain_batch_interval,
            certificate=certificate,
            on_server=self._prepare_server,
        )
        heartbeats = HeartbeatThread(self._context.channel, self, settings.grace, self._queries.functions())
        heartbeats.start()
        loaded = self._program.load()
        self._stage = "start-up"
        with asyncio.Runner(loop_factory=self._program.loop_factory) as runner:
            clean = runner.run(self._run_service(settings, loaded, heartbeats))
        if not clean:
            app_log.warning("some requests were cut off after the grace period of %g s", self._service.grace)
        self._send_last_report(clean)
        self._context.channel.finish(_FINAL_TIME)
        return 0 if clean else 1

    def _send_last_report(self, clean: bool) -> None:
        """Send the last counts, errors and records, without those that are too large."""
        recent = self._queries.recent()
        for values in ((self._last_snapshot, recent), (self._last_snapshot, None), (None, None)):
            snapshot, recent = values
            if self._context.channel.send("drained", clean=clean, snapshot=snapshot, recent=recent):
                return

    async def _run_service(
        self, settings: ServiceSettings, loaded: LoadedTarget, heartbeats: HeartbeatThread
    ) -> bool:
        self._loop = asyncio.get_running_loop()
        self._streams = streams = open_streams.get(IOLoop.current())
        streams.on_removed = self._publish
        self._service = Service(settings)
        for listener in self._program.listeners:
            listener.sockets[:] = [self._share(sock) for sock in listener.sockets]
        self._service.listeners += self._program.listeners
        # asyncio's Runner would cancel the service at SIGINT, unless there is a handler already.
        signal.signal(signal.SIGTERM, self._on_terminate)
        heartbeats.begin_beats()
        clean = await self._service.run(loaded, self._set_ready)
        self._last_snapshot = self._queries.take_snapshot()
        observation.close_access_log(self._application)
        return clean

    def _share(self, sock: socket.socket) -> socket.socket:
        context = self._context
        return FairListener(
            sock,
            context.table,
            context.seat,
            self._streams.__len__,
            lambda: self._has_problem,
            self._check_is_full,
        )

    def _set_ready(self) -> None:
        self._stage = "serving"
        self._publish()  # first, because the supervisor may report at once that all workers serve
        self._context.channel.send("ready")
        self._check_health()
        workers = self._program.configuration.workers
        module = sys.modules.get("tornado.channels._counts")
        if workers > 1 and module is not None and module.has_unshared_hub():
            app_log.warning(
                "channels with a MemoryBroker connect only the clients of one worker, and there are %d: "
                "use a RedisBroker or a NATSBroker, or --workers=1",
                workers,
            )

    def _check_health(self) -> None:
        """Let other workers serve new clients while this one has a problem, and they have room.

        A response then announces the end of its connection (``Connection: close``), because a proxy would
        send its next request, perhaps the handshake of a WebSocket, on the same connection.
        """
        assert self._loop is not None
        assert self._server is not None
        problems = _channel_problems()
        has_changed = bool(problems) is not self._has_problem
        self._has_problem = bool(problems)
        self._publish()
        self._is_full = not self._server.has_room()
        if not self._report_health():
            return
        if has_changed:
            if problems:
                app_log.warning("only workers without a problem accept connections: %s", "; ".join(problems))
            else:
                app_log.info("accepting connections again")
        self._server.conn_params.no_keep_alive = self._has_problem and self._context.table.has_healthy_worker(
            time.monotonic()
        )
        self._loop.call_later(_HEALTH_INTERVAL, self._check_health)

    def _publish(self) -> None:
        """Tell the other workers the number of connections, for `FairListener`.

        It is also called when a connection has ended: a number that is too high would let another worker take
        more than its share.
        """
        if self.is_accepting() and not self._has_problem:
            self._context.table.publish(self._context.seat, len(self._streams))
        else:
            self._context.table.leave(self._context.seat)

    def _check_is_full(self) -> bool:
        """Return whether there is no room for a connection, and tell the other workers if this has changed.

        It is called before each connection is accepted and when one ends at the limit, because a report per
        second would be too late.
        """
        assert self._server is not None
        is_full = not self._server.has_room()
        if is_full is not self._is_full:
            self._is_full = is_full
            self._report_health()
        return is_full

    def _report_health(self) -> bool:
        """Tell the other workers whether this one accepts connections; return False if it has stopped."""
        assert self._server is not None
        is_open = self._server.conn_params.drain is None and self.is_accepting()
        has_room = is_open and not self._is_full
        until = time.monotonic() + _HEALTH_TIME if has_room else 0.0
        self._context.table.report_health(self._context.seat, until, self._has_problem)
        return is_open

    def _prepare_server(self, server: HTTPServer) -> None:
        """Count requests, if their number is limited, and observe them, if the options require it."""
        self._server = server
        server.watch_room(self._check_is_full)
        self._application = server.request_callback
        observation.observe_application(self._application, self._program.configuration)
        if self._program.configuration.admin is not None:
            self._queries.begin(server.request_callback)
        if self._program.configuration.max_requests is not None:
            self._requests = server.count_requests()

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        """Drain because of SIGTERM, and let the supervisor start a replacement."""
        self._context.channel.send("leaving")
        self._service.stop()

    def _report(self, error: BaseException) -> str:
        if isinstance(error, ProgramError):
            return error.report()
        if isinstance(error, (CertificateError, LookupError, PermissionError)) and self._stage == "import":
            return f"{error}\n"
        name = self._program.configuration.target
        if isinstance(error, Exception):
            return ProgramError(f"cannot serve {name}: its {self._stage} has failed", error).report()
        return "".join(traceback.format_exception(error))

    # -- for the heartbeats's thread --

    def stop(self, grace: float, delay: float) -> None:
        """Begin the drain.

        The service is called in the event loop, because until that runs, it would take this for a signal.
        """
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._service.stop, grace, delay)

    def is_accepting(self) -> bool:
        """Whether a listening socket is open."""
        return any(sock.fileno() >= 0 for listener in self._program.listeners for sock in listener.sockets)

    def abandon_listeners(self) -> None:
        """Make TCP sockets that belong to this service stop listening in all processes.

        Sockets of the service manager or of another process continue for their owner.
        """
        for listener in self._program.listeners:
            for sock in listener.sockets if listener.bind.kind is BindKind.TCP else ():
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it is closed, or another worker has done it

    def release_addresses(self) -> None:
        """Close the locks of the addresses."""
        self._context.lock.close()

    def stats(self) -> dict[str, Any]:
        """Return the numbers of the worker."""
        return {
            "connections": len(self._streams),
            "requests": self._requests.total,
            "cpu": time.process_time(),
            "threads": threading.active_count(),
            "problems": _channel_problems(),
        }


def _channel_problems() -> list[str]:
    """Return why this worker should get no requests: its channels receive no messages."""
    module = sys.modules.get("tornado.channels._counts")
    return [] if module is None else module.broker_problems()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: the supervisor handles the signal."""


__all__ = ["Program", "Worker", "run_worker"]
