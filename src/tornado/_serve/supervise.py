"""Joins the parts of a supervised service: configuration, locks, listeners, supervisor and workers."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from typing import Any

from tornado import _process_replacement
from tornado._serve import supervisor_exec, target
from tornado._serve.bind import Bind, BindKind
from tornado._serve.certificates import WatchedContext
from tornado._serve.configuration import Configuration
from tornado._serve.listeners import open_listeners
from tornado._serve.service_lock import ServiceLock
from tornado._serve.supervisor import Supervisor
from tornado._serve.worker import Program, run_worker
from tornado.httpserver import HTTPServerOptions
from tornado.log import gen_log


def supervise(
    configuration: Configuration,
    options: HTTPServerOptions,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> int:
    """Serve with worker processes until a signal ends the service, and return the exit status.

    :param options: the arguments of `.HTTPServer`.
    :raises ListenError: if an address cannot be used.
    :raises ServiceRunningError: if another supervisor serves an address.
    :raises PidFileError: if the PID file cannot be written.
    :raises CertificateError: if the certificate cannot be used.
    :raises ProgramError: with ``--preload``, if the program cannot be loaded.
    """
    if configuration.certificate is not None:
        WatchedContext(configuration)  # an error ends the service before a worker is started
    previous = supervisor_exec.inherited_state()
    if previous is not None:
        lock = supervisor_exec.restore_lock(previous)
    else:
        lock = ServiceLock.acquire(map(str, _binds(configuration)))
    try:
        return _serve(configuration, options, loop_factory, lock, previous)
    finally:
        lock.close()


def _serve(
    configuration: Configuration,
    options: HTTPServerOptions,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
    lock: ServiceLock,
    previous: dict[str, Any] | None,
) -> int:
    listeners = open_listeners(configuration)
    load = functools.partial(target.load, configuration.target)
    if configuration.preload:
        loaded = load()
        load = functools.partial(_same, loaded)
    program = Program(configuration, load, listeners, options, loop_factory)
    scheme = "http" if configuration.certificate is None else "https"

    def started() -> None:
        for listener in listeners:
            place = listener.url(scheme) or listener.address
            workers = f", {configuration.workers} workers" if configuration.workers > 1 else ""
            gen_log.info("serving %s on %s%s", configuration.target, place, workers)

    supervisor = Supervisor(
        configuration,
        functools.partial(run_worker, program=program),
        lock,
        started=started,
        trial_command=[*_process_replacement.command(), "--print-config"],
        previous=previous,
    )
    try:
        return supervisor.run()
    finally:
        for listener in listeners:
            listener.close()


def _same(loaded: target.LoadedTarget) -> target.LoadedTarget:
    return loaded


def _binds(configuration: Configuration) -> list[Bind]:
    """Return the addresses, in a fixed order, so that two supervisors do not wait for each other."""
    binds = configuration.bind
    if configuration.is_default("bind") and os.environ.get("LISTEN_PID") == str(os.getpid()):
        binds = (Bind(BindKind.SYSTEMD),)
    return sorted(binds, key=str)


__all__ = ["supervise"]
