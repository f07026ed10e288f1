"""CPU time per request including the kernel's, measured in the server process under load from wrk or the
built-in client.
"""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import tempfile

from benchmarks.macro.server.load import Connection, connections, rounds
from benchmarks.macro.server.process import LOAD_CORE, Server
from benchmarks.macro.server.scenarios import Scenario

CONNECTIONS = 64
ACCEPTED = 4000


def wrk(port: int, scenario: Scenario, seconds: float, count: int) -> int:
    """Run a scenario for `seconds` on `count` connections, and return the number of responses."""
    scheme = "https" if scenario.tls else "http"
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{count}", f"-d{max(round(seconds), 1)}s"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(scenario))
        script.flush()
        done = subprocess.run(
            [*command, "-s", script.name, f"{scheme}://127.0.0.1:{port}/"],
            capture_output=True,
            text=True,
            check=True,
        )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"some requests failed:\n{done.stdout}")
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found is not None
    return int(found[1])


def _script(scenario: Scenario) -> str:
    """Return wrk's Lua script for a scenario."""
    lines = [f'wrk.method = "{scenario.method}"', f"wrk.path = [==[{scenario.path}]==]"]
    lines += [f"wrk.headers[ [==[{name}]==] ] = [==[{value}]==]" for name, value in scenario.headers]
    if scenario.body:
        lines.append(f"wrk.body = [==[{scenario.body}]==]")
    if scenario.depth > 1:
        lines.append(
            "function init(args) local one = wrk.format() "
            f"all = string.rep(one, {scenario.depth}) end function request() return all end"
        )
    if scenario.differs:
        lines.append(_DIFFERING)
    return "\n".join(lines)


# The placeholders of `benchmarks.macro.server.scenarios`, in Lua.
_DIFFERING = """
local template
local number = 1000
function init(args) template = wrk.format() end
function request()
    number = number + 1
    return (template:gsub("@n", number):gsub("@x", string.format("%08x", number * 40503 % 4294967296))
        :gsub("@a", number % 250 + 1):gsub("@b", math.floor(number / 250) % 250))
end
"""


def per_request(
    server: Server, scenario: Scenario, seconds: float, context: ssl.SSLContext | None
) -> tuple[float, float]:
    """Return CPU microseconds per request, and requests per second."""
    if shutil.which("wrk"):
        wrk(server.port, scenario, 1, CONNECTIONS)
        before = server.cpu_seconds()
        requests = wrk(server.port, scenario, seconds, CONNECTIONS)
        return (server.cpu_seconds() - before) / requests * 1e6, requests / max(round(seconds), 1)
    with connections(server.port, CONNECTIONS, context) as opened:
        requests = scenario.requests(server.port)
        rounds(opened, requests, 20, scenario.depth)
        before = server.cpu_seconds()
        answered = rounds(opened, requests, max(1, int(seconds * 50)), scenario.depth)
        return (server.cpu_seconds() - before) / answered * 1e6, 0.0


def per_accept(server: Server, scenario: Scenario) -> float:
    """Return CPU microseconds for accepting a connection, its first request and its close."""
    request = scenario.request(server.port)
    _open_and_ask(server.port, request, ACCEPTED // 8)
    before = server.cpu_seconds()
    _open_and_ask(server.port, request, ACCEPTED)
    return (server.cpu_seconds() - before) / ACCEPTED * 1e6


# The connections are opened sequentially: if they arrived together, they would share event loop iterations
# and seem cheaper.
def _open_and_ask(port: int, request: bytes, count: int, at_once: int = 1) -> None:
    for _ in range(count // at_once):
        opened = [Connection(port) for _ in range(at_once)]
        for connection in opened:
            connection.send(request)
        for connection in opened:
            connection.receive()
            connection.close()


def idle_memory(server: Server, scenario: Scenario, count: int) -> float:
    """Return the server's memory per connection, in bytes. Each connection was used once and stays open."""
    request = scenario.request(server.port)
    _open_and_ask(server.port, request, 500)
    before = server.memory()
    with connections(server.port, count) as opened:
        for connection in opened:
            connection.send(request)
            connection.receive()
        return (server.memory() - before) / count
