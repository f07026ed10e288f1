"""The process of the administration."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

from tornado._serve import privileges
from tornado._serve.admin.access import Access, choose_access
from tornado._serve.admin.application import make_application
from tornado._serve.admin.collector import Collector
from tornado._serve.admin.link import SupervisorLink
from tornado._serve.admin.state import State
from tornado._serve.certificates import WatchedContext
from tornado._serve.configuration import Configuration
from tornado._serve.listeners import Listener, open_listener
from tornado._serve.unix_peers import HAS_CREDENTIALS, OwnerListener
from tornado._serve.worker_protocol import Channel
from tornado.httpserver import HTTPServer
from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["Admin", "open_admin", "run_admin"]

#: The signals of the process group. The process must remain until the workers have ended, because load
#: balancers ask it whether the service is ready.
_IGNORED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
_OWNER_ONLY = 0o600
#: The maximum size of a request body in bytes: the largest is the login form.
_MAX_BODY = 16_384
#: The maximum time for responses at the end of the service, in seconds; less than the supervisor waits.
_LAST_RESPONSES = 0.5


@dataclass(frozen=True, slots=True)
class Admin:
    """The parameters of the process.

    :ivar listener: its open listener.
    :ivar access: the rules of access.
    :ivar generated: whether the token was generated.
    """

    configuration: Configuration
    listener: Listener
    access: Access
    generated: bool

    @property
    def identity(self) -> str:
        """A text that contains what a process cannot change: its address, its token and its certificate."""
        configuration = self.configuration
        files = f"{configuration.admin_certificate or ''} {configuration.admin_key or ''}"
        return f"{configuration.admin} {self.access.token or ''} {files}"

    def announce(self) -> None:
        """Log the address, and the token if it was generated."""
        scheme = "http" if self.configuration.admin_certificate is None else "https"
        gen_log.info("administration on %s", self.listener.url(scheme) or self.listener.address)
        if self.generated:
            gen_log.info("token of the administration (set WATERSPOUT_ADMIN_TOKEN): %s", self.access.token)

    def close_sockets(self) -> None:
        """Close the listening sockets in a worker."""
        for sock in self.listener.sockets:
            sock.close()


def open_admin(configuration: Configuration, previous: str | None = None) -> Admin | None:
    """Open the listener, or return None without ``--admin``.

    :param previous: the identity in the previous supervisor, whose generated token remains valid.
    :raises ListenError: if the address cannot be used.
    :raises CertificateError: if the certificate cannot be used.
    """
    if configuration.admin is None:
        return None
    _ = _certificate_of(configuration)  # an error ends the service before a process is started
    listener = open_listener(configuration.admin, mode=_OWNER_ONLY)
    access, generated = choose_access(listener, configuration.admin_token)
    address, token, *_ = [*(previous or "").split(" "), ""]
    if generated and token and address == str(configuration.admin):
        access = dataclasses.replace(access, token=token)
    return Admin(configuration, listener, access, generated)


def run_admin(admin: Admin, channel: Channel, kept: Any) -> int:
    """Run the process until the supervisor ends, and return the exit status.

    :param channel: the connection to the supervisor.
    :param kept: the counts of workers that ended before an earlier process did, or None.
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    certificate = _certificate_of(admin.configuration)
    if admin.listener.bind.is_abstract and HAS_CREDENTIALS:
        # Before this process becomes another user: the owner of the service may connect.
        admin.listener.sockets[:] = map(OwnerListener, admin.listener.sockets)
    privileges.drop(admin.configuration.user, admin.configuration.group)
    asyncio.run(_serve(admin, channel, kept, certificate))
    return 0


def _certificate_of(configuration: Configuration) -> WatchedContext | None:
    if configuration.admin_certificate is None:
        return None
    return WatchedContext(configuration, administration=True)


async def _serve(admin: Admin, channel: Channel, kept: Any, certificate: WatchedContext | None) -> None:
    state = State(time.time())
    if kept is not None:
        state.restore(kept)
    collector: Collector

    def add_final(pid: int, snapshot: Any, recent: Any) -> None:
        collector.add_final(pid, snapshot, recent)

    link = SupervisorLink(channel, add_final, _end)
    collector = Collector(link, state)
    # Anyone who can connect may ask for the login form and the health checks.
    server = HTTPServer(
        make_application(collector, admin.access),
        protection="public",
        max_body_size=_MAX_BODY,
        ssl_options=None if certificate is None else certificate.context,
    )
    server.add_sockets(admin.listener.sockets)
    tasks = [asyncio.create_task(collector.run())]
    if certificate is not None:
        tasks.append(
            asyncio.create_task(certificate.watch(functools.partial(setattr, server, "ssl_options")))
        )
    await link.service_end()
    for task in tasks:
        task.cancel()
    # Only clients that wait for the end of the service have a response that is not complete.
    await server.drain(_LAST_RESPONSES, idle_timeout=0)


def _end() -> None:
    """End at once: a new supervisor may wait for the address, and there is nothing to complete."""
    os._exit(0)
