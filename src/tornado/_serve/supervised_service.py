"""Joins the parts of a supervised service: configuration, locks, listeners, supervisor and workers."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any

from tornado import _process_replacement
from tornado._serve import supervisor_exec, target
from tornado._serve.admin.process import Admin, open_admin, run_admin
from tornado._serve.bind import BindKind
from tornado._serve.certificates import CertificateError, WatchedContext
from tornado._serve.configuration import Configuration
from tornado._serve.listeners import Listener, open_listeners
from tornado._serve.log_stream import finish_streams
from tornado._serve.process_identity import become
from tornado._serve.service_lock import ServiceLock
from tornado._serve.supervisor import Supervisor
from tornado._serve.worker import Program, run_worker
from tornado._serve.worker_pool import WorkerContext
from tornado._serve.worker_protocol import Channel
from tornado.httpserver import HTTPServerOptions
from tornado.log import gen_log
from tornado.netutil._systemd_activation import has_inherited_sockets

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")


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
    :raises CertificateError: if the certificate cannot be used, unless there are workers already.
    :raises ProgramError: with ``--preload``, if the program cannot be loaded.
    """
    become("supervisor")
    previous = supervisor_exec.inherited_state()
    _check_certificate(configuration, has_workers=previous is not None)
    lock = ServiceLock() if previous is None else supervisor_exec.restore_lock(previous)
    if previous is None:
        lock.acquire(_own_addresses(configuration))
    try:
        return _serve(configuration, options, loop_factory, lock, previous)
    finally:
        lock.close()
        finish_streams()


def _check_certificate(configuration: Configuration, *, has_workers: bool) -> None:
    """End the service before a worker is started if its certificate cannot be used.

    :param has_workers: whether workers serve with an earlier certificate; they continue.
    """
    if configuration.certificate is None:
        return
    try:
        WatchedContext(configuration)
    except CertificateError as error:
        if not has_workers:
            raise
        gen_log.error("%s; the current workers continue with the previous certificate", error)


def _serve(
    configuration: Configuration,
    options: HTTPServerOptions,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
    lock: ServiceLock,
    previous: dict[str, Any] | None,
) -> int:
    listeners = open_listeners(configuration)
    admin = open_admin(configuration, ((previous or {}).get("admin") or {}).get("identity"))
    if previous is None:
        lock.acquire(_shared_addresses(listeners), shared=True)
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
        if admin is not None:
            admin.announce()

    supervisor = Supervisor(
        configuration,
        functools.partial(_run_worker, program, admin),
        lock,
        started=started,
        listening=[
            sock.fileno()
            for listener in [*listeners, *([] if admin is None else [admin.listener])]
            for sock in listener.sockets
        ],
        stop_listening=functools.partial(_close_sockets, listeners),
        trial_command=[*_process_replacement.command(), "--print-config"],
        previous=previous,
        run_admin=None if admin is None else functools.partial(_run_admin, admin, listeners, lock),
        admin_identity="" if admin is None else admin.identity,
    )
    try:
        return supervisor.run()
    finally:
        for listener in listeners:
            listener.close()
        if admin is not None:
            admin.listener.close()


def _run_worker(program: Program, admin: Admin | None, context: WorkerContext) -> int:
    become("worker", context.number)
    if admin is not None:
        admin.close_sockets()
    return run_worker(context, program)


def _run_admin(
    admin: Admin, listeners: Iterable[Listener], lock: ServiceLock, channel: Channel, kept: Any
) -> int:
    become("administration")
    for listener in listeners:
        for sock in listener.sockets:
            sock.close()
    lock.close()
    return run_admin(admin, channel, kept)


def _close_sockets(listeners: Iterable[Listener]) -> None:
    """Close the sockets, but do not remove the files of Unix sockets yet."""
    for listener in listeners:
        for sock in listener.sockets:
            sock.close()


def _same(loaded: target.LoadedTarget) -> target.LoadedTarget:
    return loaded


def _own_addresses(configuration: Configuration) -> list[str]:
    """Return the addresses whose sockets this service opens.

    A new server may replace the file of a Unix socket while the old one runs, so such files are not locked.
    The order is fixed, so that two supervisors do not wait for each other.
    """
    inherits = configuration.is_default("bind") and has_inherited_sockets()
    binds = [] if inherits else list(configuration.bind)
    if configuration.admin is not None:
        binds.append(configuration.admin)
    return sorted(str(bind) for bind in binds if bind.kind is BindKind.TCP and bind.port)


def _shared_addresses(listeners: Iterable[Listener]) -> list[str]:
    """Return the addresses of sockets that others have opened, and may serve as well."""
    kinds = (BindKind.DESCRIPTOR, BindKind.SYSTEMD)
    sockets = [sock for each in listeners if each.bind.kind in kinds for sock in each.sockets]
    return sorted(f"socket {sock.getsockname()}" for sock in sockets)


__all__ = ["supervise"]
