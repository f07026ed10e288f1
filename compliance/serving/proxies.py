"""nginx and haproxy in front of a measured server."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from compliance.serving.figures import Figures
from compliance.serving.process import Running, StartError
from compliance.serving.reloads import reload_under_load
from compliance.serving.servers import Options, Server
from compliance.serving.target import Target
from compliance.serving.waiting import PAUSE

_NGINX = """
user root;
worker_processes 1;
worker_rlimit_nofile 65536;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    upstream app {{ server 127.0.0.1:{upstream} max_fails=0; keepalive 128; }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_next_upstream {retry};
        }}
    }}
}}
"""
_HAPROXY = """
global
    maxconn 6000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    http-reuse {reuse}
    retries 3
frontend clients
    bind 127.0.0.1:{port}
    default_backend app
backend app
    server one 127.0.0.1:{upstream}
"""


def _nginx(folder: Path, port: int, upstream: int, *, retry: str = "error timeout") -> list[str]:
    path = folder / "nginx.conf"
    path.write_text(_NGINX.format(folder=folder, port=port, upstream=upstream, retry=retry))
    return ["nginx", "-p", str(folder), "-c", str(path), "-e", str(folder / "error.log")]


def _strict_nginx(folder: Path, port: int, upstream: int) -> list[str]:
    return _nginx(folder, port, upstream, retry="off")


def _haproxy(folder: Path, port: int, upstream: int, *, reuse: str = "safe") -> list[str]:
    path = folder / "haproxy.cfg"
    path.write_text(_HAPROXY.format(port=port, upstream=upstream, reuse=reuse))
    return ["haproxy", "-db", "-f", str(path)]


def _reusing_haproxy(folder: Path, port: int, upstream: int) -> list[str]:
    return _haproxy(folder, port, upstream, reuse="always")


#: The commands by name: nginx as in the guide, nginx without any retry, haproxy with two of its modes.
PROXIES: dict[str, Callable[[Path, int, int], list[str]]] = {
    "nginx": _nginx,
    "nginx without retries": _strict_nginx,
    "haproxy": _haproxy,
    "haproxy, http-reuse always": _reusing_haproxy,
}


class Proxy:
    """An asynchronous context manager that runs a proxy in front of a port.

    :ivar target: the address of the proxy.
    """

    def __init__(self, name: str, upstream: int) -> None:
        self._name, self._upstream = name, upstream
        self._folder = tempfile.TemporaryDirectory()
        self._reservation = socket.socket()
        self.target = Target()

    def _start(self) -> subprocess.Popen[bytes]:
        command = PROXIES[self._name](Path(self._folder.name), self.target.port, self._upstream)
        # These programs are in a folder that is not on the PATH of every user.
        command[0] = shutil.which(command[0]) or f"/usr/sbin/{command[0]}"
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    async def __aenter__(self) -> Proxy:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self._reservation.setsockopt(socket.SOL_SOCKET, option, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.target = Target(self._reservation.getsockname()[1])
        self._process = self._start()
        while True:
            try:
                _, writer = await self.target.open()
            except OSError:
                if self._process.poll() is not None:
                    raise StartError(f"{self._name} has not started") from None
                await asyncio.sleep(PAUSE)
            else:
                writer.close()
                return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._reservation.close()
        self._folder.cleanup()


async def reloads_behind(
    server: Server,
    proxy: str,
    options: Options | None = None,
    *,
    number: int = 5,
    sockets: int = 0,
    **running: Any,
) -> Figures:
    """Replace the workers under load that comes through a proxy."""
    async with Running(server, options, **running) as service, Proxy(proxy, service.target.port) as front:
        return await reload_under_load(service, front.target, number, sockets)
