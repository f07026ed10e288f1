"""The measured servers: how each is started with the options of a scenario."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Peer

_PROGRAMS = Path(__file__).parent / "programs"
_GUNICORN = "gunicorn==27.0.1"
_UVICORN = "uvicorn[standard]==0.54.0"


@dataclass(frozen=True)
class Options:
    """The options of a scenario.

    :ivar workers: the number of worker processes.
    :ivar grace: the maximum time for requests to finish at the end, in seconds.
    :ivar hang_timeout: how long the event loop may be blocked, in seconds.
    :ivar port: the TCP port, without `path`.
    :ivar path: the path of a Unix socket.
    :ivar certificate: the files of the certificate and of its key.
    :ivar extra: further options of Waterspout's command.
    """

    workers: int = 2
    grace: int = 10
    hang_timeout: int = 30
    port: int = 0
    path: str | None = None
    certificate: tuple[str, str] | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """A measured server.

    :ivar peer: its name, program and requirements.
    :ivar command: returns its arguments for the interpreter.
    :ivar reload_signal: the signal that replaces the workers; None if there is no such signal.
    :ivar notices_hangs: whether it has an option that replaces workers whose event loop is blocked.
    """

    peer: Peer
    command: Callable[[Options], list[str]]
    reload_signal: signal.Signals | None = signal.SIGHUP
    notices_hangs: bool = True


def _ours(options: Options) -> list[str]:
    bind = f"unix:{options.path}" if options.path is not None else f"127.0.0.1:{options.port}"
    command = ["-m", "tornado", "serve", "app", f"--bind={bind}", f"--workers={options.workers}"]
    command += [f"--grace={options.grace}", f"--hang-timeout={options.hang_timeout}", "--access-log=off"]
    if options.certificate is not None:
        command += [f"--certificate={options.certificate[0]}", f"--key={options.certificate[1]}"]
    return [*command, *options.extra]


def _gunicorn(worker: str) -> Callable[[Options], list[str]]:
    def command(options: Options) -> list[str]:
        bind = f"unix:{options.path}" if options.path is not None else f"127.0.0.1:{options.port}"
        words = ["-m", "gunicorn", "app:application", "--worker-class", worker, "--bind", bind]
        words += ["--workers", str(options.workers), "--graceful-timeout", str(options.grace)]
        words += ["--timeout", str(options.hang_timeout)]
        if options.certificate is not None:
            words += ["--certfile", options.certificate[0], "--keyfile", options.certificate[1]]
        return words

    return command


def _uvicorn(options: Options) -> list[str]:
    words = ["-m", "uvicorn", "app:application", "--no-access-log", "--workers", str(options.workers)]
    words += ["--uds", options.path] if options.path is not None else ["--port", str(options.port)]
    words += ["--timeout-graceful-shutdown", str(options.grace)]
    words += ["--timeout-worker-healthcheck", str(options.hang_timeout)]
    if options.certificate is not None:
        words += ["--ssl-certfile", options.certificate[0], "--ssl-keyfile", options.certificate[1]]
    return words


def _granian(options: Options) -> list[str]:
    words = ["-m", "granian", "app:application", "--interface", "asgi", "--no-access-log"]
    words += ["--uds", options.path] if options.path is not None else ["--port", str(options.port)]
    words += ["--workers", str(options.workers), "--workers-kill-timeout", str(options.grace)]
    words += ["--respawn-failed-workers"]
    if options.certificate is not None:
        words += ["--ssl-certificate", options.certificate[0], "--ssl-keyfile", options.certificate[1]]
    return words


def _hypercorn(options: Options) -> list[str]:
    bind = f"unix:{options.path}" if options.path is not None else f"127.0.0.1:{options.port}"
    words = ["-m", "hypercorn", "app:application", "--bind", bind, "--workers", str(options.workers)]
    words += ["--graceful-timeout", str(options.grace)]
    if options.certificate is not None:
        words += ["--certfile", options.certificate[0], "--keyfile", options.certificate[1]]
    return words


def _peer(name: str, title: str, *requirements: str) -> Peer:
    return Peer(name, title, _PROGRAMS / ("asgi.py" if requirements else "waterspout.py"), requirements)


SERVERS = {
    server.peer.name: server
    for server in (
        Server(_peer("ours", "Waterspout"), _ours),
        Server(_peer("gunicorn", "gunicorn, asgi worker", _GUNICORN), _gunicorn("asgi")),
        Server(
            # The first requirement names the environment, so that it differs from that of gunicorn alone.
            _peer(
                "gunicorn-uvicorn", "gunicorn, uvicorn workers", "uvicorn-worker==0.4.0", _GUNICORN, _UVICORN
            ),
            _gunicorn("uvicorn_worker.UvicornWorker"),
        ),
        Server(_peer("uvicorn", "uvicorn", _UVICORN), _uvicorn),
        Server(
            _peer("granian", "granian", "granian==2.8.7", "uvloop==0.23.0"), _granian, notices_hangs=False
        ),
        Server(_peer("hypercorn", "hypercorn", "hypercorn==0.18.0"), _hypercorn, None, notices_hangs=False),
    )
}
