"""The scenarios, and the checks after each of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from compliance.faults import key_updates, load, resets
from compliance.faults.network import Network
from compliance.faults.process import ROOT, Server, leaks

#: The calls that fiu-run makes fail. Its library does not support accept4(), which Python uses.
FIU_POINTS = ("posix/io/net/recv", "posix/io/net/send", "posix/io/net/sendmsg")

#: The maximum share of a CPU that the server may use for the peers of `updating` once they are silent.
BUSY = 0.05

#: Log lines that show a defect. The exception is asyncio's: if reading fails on the pipe by which a thread
#: wakes the loop, it reads again in the next iteration.
_COMPLAINT = re.compile(
    r"^.*(?:never retrieved|was destroyed|never awaited|ResourceWarning"
    r"|Exception in callback (?!BaseSelectorEventLoop\._read_from_self)).*$",
    re.MULTILINE,
)


@dataclass
class Outcome:
    """The outcome of a scenario."""

    name: str
    counts: load.Counts = field(default_factory=load.Counts)
    #: The number of faults; each of them may cause one request to fail.
    faults: int = 0
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    #: The share of a CPU that the server uses while its peers are silent.
    busy: float = 0.0
    #: The reason why the scenario was not run; empty if it was run.
    skipped: str = ""

    def problems(self) -> list[str]:
        """Describe everything that must not happen."""
        if self.skipped:
            return []
        found = leaks(self.before, self.after)
        if self.counts.failures > self.faults:
            found.append(f"{self.counts.failures} requests failed with {self.faults} faults")
        if self.counts.wrong:
            found.append(f"{self.counts.wrong} wrong responses")
        if self.busy > BUSY:
            found.append(f"{self.busy:.1%} of a CPU for silent peers, expected less than {BUSY:.0%}")
        if not self.counts.requests:
            found.append("no requests were sent")
        found += [f"log: {line!r}" for line in _COMPLAINT.findall(self.output)]
        return found


@dataclass(frozen=True)
class Size:
    """The amount of work."""

    clients: int
    requests: int
    resets: int


SMALL = Size(clients=8, requests=24, resets=3)
FULL = Size(clients=16, requests=250, resets=50)


@dataclass(frozen=True)
class Tls:
    """Certificate files for the server, and a context for clients."""

    certificate: str
    key: str
    context: ssl.SSLContext


def _options(loop: str, tls: Tls | None) -> list[str]:
    secure = [f"--certificate={tls.certificate}", f"--key={tls.key}"] if tls else []
    return [f"--loop={loop}", *secure]


def _target(server: Server, tls: Tls | None) -> load.Target:
    return load.Target("127.0.0.1", server.port, tls.context if tls else None)


def calls(
    size: Size,
    *,
    loop: str = "asyncio",
    tls: Tls | None = None,
    probability: float = 0.05,
    exhausted: bool = False,
) -> Outcome:
    """Make the server's recv, send and accept fail; with `exhausted` only accept, for lack of descriptors."""
    kinds = "accept" if exhausted else "recv,send,accept"
    name = f"{kinds} fail ({loop}{', TLS' if tls else ''}{', exhausted' if exhausted else ''})"
    outcome = Outcome(name)
    arguments = [*_options(loop, tls), f"--calls={kinds}", f"--probability={probability}"]
    with Server([*arguments, *(["--exhausted"] if exhausted else [])]) as server:
        target = _target(server, tls)
        for measured in (False, True):
            server.inject(True)
            counts = asyncio.run(load.run(target, size.clients, size.requests))
            server.inject(False)
            _settle(outcome, server, counts, measured)
    outcome.output = server.output
    return outcome


def _settle(outcome: Outcome, server: Server, counts: load.Counts, measured: bool) -> None:
    """Record the state after a round. The first round fills caches; `leaks` compares both states."""
    state = server.at_rest()
    if not measured:
        outcome.before = state
        return
    outcome.after, outcome.counts = state, counts
    # A failed accept is repeated, so it must not affect any client.
    outcome.faults = sum(
        count - outcome.before["calls"].get(call, 0)
        for call, count in state["calls"].items()
        if call != "accept"
    )


def fiu(size: Size, *, loop: str = "asyncio", probability: float = 0.05) -> Outcome:
    """Make recv, send and sendmsg fail below the interpreter, through fiu-run."""
    outcome = Outcome(f"recv, send, sendmsg fail in libc (fiu-run, {loop})")
    run, control = shutil.which("fiu-run"), shutil.which("fiu-ctrl")
    if run is None or control is None:
        outcome.skipped = "fiu-run is not installed; on Debian: apt-get install fiu-utils"
        return outcome
    with contextlib.ExitStack() as stack:
        prefix = stack.enter_context(tempfile.TemporaryDirectory()) + "/control"
        server = stack.enter_context(Server([f"--loop={loop}"], before=[run, "-x", "-f", prefix]))

        def switch(command: str, suffix: str) -> None:
            commands = [part for point in FIU_POINTS for part in ("-c", f"{command} name={point}{suffix}")]
            subprocess.run([control, "-f", prefix, *commands, str(server.pid)], check=True, timeout=30)

        # asyncio's pipe for waking the loop from a thread must not fail. The only work done in a thread is
        # the first access to the file, so the file is requested once before the faults are enabled.
        asyncio.run(load.run(_target(server, None), 1, len(load.MIXED)))
        for measured in (False, True):
            switch("enable_random", f",probability={probability}")
            counts = asyncio.run(load.run(_target(server, None), size.clients, size.requests))
            switch("disable", "")
            _settle(outcome, server, counts, measured)
    outcome.output = server.output
    return outcome


def vanishing(size: Size, *, loop: str = "asyncio", tls: Tls | None = None) -> Outcome:
    """Reset connections at every point of a request, while other clients are served."""
    outcome = Outcome(f"resets ({loop}{', TLS' if tls else ''})")
    with Server(_options(loop, tls)) as server:
        target = _target(server, tls)
        for measured in (False, True):
            counts = asyncio.run(_vanish(target, size, tls))
            _settle(outcome, server, counts, measured)
        outcome.faults = 0  # resets must not affect other clients
    outcome.output = server.output
    return outcome


async def _vanish(target: load.Target, size: Size, tls: Tls | None) -> load.Counts:
    address = (target.address, target.port)
    jobs = [(point, target.context) for point in resets.POINTS]
    if tls is not None:
        jobs += [(point, None) for point in resets.TLS_POINTS]
    counts = load.Counts()
    async with asyncio.TaskGroup() as group:
        group.create_task(load.client(target, size.requests, 0, counts))
        for _ in range(size.resets):
            for point, context in jobs:
                await asyncio.to_thread(resets.vanish, address, point, context)
    return counts


def early(size: Size, *, loop: str = "asyncio", tls: Tls | None = None) -> Outcome:
    """Reset thousands of connections right after connecting, with TLS also before the ClientHello."""
    outcome = Outcome(f"resets 0 to 400 us after connecting ({loop}{', TLS' if tls else ''})")
    with Server(_options(loop, tls)) as server:
        target = _target(server, tls)
        for measured in (False, True):
            resets.sweep((target.address, target.port), 80 * size.resets)
            counts = asyncio.run(load.run(target, 1, size.requests))
            _settle(outcome, server, counts, measured)
        outcome.faults = 0
    outcome.output = server.output
    return outcome


def updating(size: Size, *, loop: str = "asyncio", tls: Tls, count: int = 20) -> Outcome:
    """Have TLS 1.3 peers request key updates until the server's send buffers are full, and never read.

    After that, these peers must use almost no CPU time in the server.
    """
    outcome = Outcome(f"key updates, nothing read ({loop}, TLS)")
    if key_updates.library() is None:
        outcome.skipped = "OpenSSL is not a shared library"
        return outcome
    with Server([*_options(loop, tls), "--send-buffer=4608"]) as server:
        target = _target(server, tls)
        for measured in (False, True):
            counts = asyncio.run(load.run(target, 1, 1))  # the small buffer makes large responses slow
            with contextlib.ExitStack() as stack:
                address = target.address, target.port
                peers = [key_updates.Peer(address, tls.context) for _ in range(count)]
                for peer in peers:
                    stack.callback(peer.socket.close)
                    peer.update(1200)
                outcome.busy = max(outcome.busy, _load_at_rest(server))
            _settle(outcome, server, counts, measured)
        outcome.faults = 0
    outcome.output = server.output
    return outcome


def _load_at_rest(server: Server) -> float:
    """Return the share of a CPU that the server uses once it is idle."""
    clock = ~server.pid << 3 | 2  # Linux's clock id for the CPU time of another process
    least = 1.0
    for _ in range(20):
        before, start = time.clock_gettime(clock), time.monotonic()
        time.sleep(0.3)
        least = min(least, (time.clock_gettime(clock) - before) / (time.monotonic() - start))
        if least <= BUSY:
            break
    return least


def client(size: Size, *, loop: str = "asyncio", probability: float = 0.05) -> Outcome:
    """Make recv and send of an `AsyncHTTPClient` fail; the server has no faults."""
    outcome = Outcome(f"recv, send of the client fail ({loop})")
    with Server() as server:
        command = [
            sys.executable,
            "-m",
            "compliance.faults.client",
            f"--port={server.port}",
            f"--loop={loop}",
        ]
        command += [
            f"--clients={size.clients}",
            f"--requests={size.requests}",
            f"--probability={probability}",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=600)
    outcome.output = done.stderr.decode(errors="replace")
    if done.returncode:
        raise RuntimeError(f"the client exited with status {done.returncode}:\n{outcome.output}")
    answer = json.loads(done.stdout)
    outcome.counts = load.Counts(**answer["counts"])
    outcome.before, outcome.after, outcome.faults = answer["before"], answer["after"], answer["faults"]
    return outcome


def loss(size: Size, *, probability: float = 0.05) -> Outcome:
    """Drop packets in both directions: everything is slower, but nothing fails."""
    outcome = Outcome(f"{probability:.0%} of packets lost in both directions")
    network, reason = _network()
    if network is None:
        outcome.skipped = reason
        return outcome
    with network, Server([f"--address={network.SERVER}"], before=network.inside("server")) as server:
        for measured in (False, True):
            network.lose(probability)
            counts = _load_from(network, server, size)
            network.lose(0)
            _settle(outcome, server, counts, measured)
        outcome.faults = 0
    outcome.output = server.output
    return outcome


def cut(size: Size) -> Outcome:
    """Cut the network while clients are active. The server then closes connections after its timeouts."""
    outcome = Outcome("network cut in request bodies and idle connections")
    network, reason = _network()
    if network is None:
        outcome.skipped = reason
        return outcome
    arguments = [f"--address={network.SERVER}", "--timeout=2"]
    with network, Server(arguments, before=network.inside("server")) as server:
        for measured in (False, True):
            counts = _load_from(network, server, SMALL)
            _abandon(network, server, size.clients)
            _settle(outcome, server, counts, measured)
        outcome.faults = 0
    outcome.output = server.output
    return outcome


def _network() -> tuple[Network | None, str]:
    reason = Network.missing()
    return (None, reason) if reason else (Network(), "")


def _load_from(network: Network, server: Server, size: Size) -> load.Counts:
    command = [*network.inside("client"), sys.executable, "-m", "compliance.faults.load"]
    command += [f"--address={network.SERVER}", f"--port={server.port}"]
    command += [f"--clients={size.clients}", f"--requests={size.requests}"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=600)
    return load.Counts(**json.loads(done.stdout))


def _abandon(network: Network, server: Server, clients: int) -> None:
    """Run clients that are in the middle of a request when the network is cut, and exit before it is
    restored.
    """
    program = (
        "import socket,sys\n"
        "sent = sys.argv[3].encode().decode('unicode_escape').encode()\n"
        "address = sys.argv[1], int(sys.argv[2])\n"
        "held = [socket.create_connection(address) for _ in range(int(sys.argv[4]))]\n"
        "for sock in held: sock.sendall(sent)\n"
        "print('sent', flush=True)\n"
        "sys.stdin.read()\n"
    )
    texts = (
        "",
        r"GET / HTTP/1.1\r\nHo",
        r"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        r"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsome",
        r"POST /whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsome",
    )
    with contextlib.ExitStack() as stack:
        for text in texts:
            command = [*network.inside("client"), sys.executable, "-c", program, network.SERVER]
            command += [str(server.port), text, str(clients)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        network.lose(1)
    # Their FIN packets are lost, too.
    server.at_rest()
    network.lose(0)


def everything(size: Size, tls: Tls, loops: Sequence[str]) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Yield all scenarios with their names."""
    for loop in loops:
        yield f"calls {loop}", partial(calls, size, loop=loop)
        yield f"calls {loop} tls", partial(calls, size, loop=loop, tls=tls)
        yield f"fiu {loop}", partial(fiu, size, loop=loop)
        yield f"resets {loop}", partial(vanishing, size, loop=loop)
        yield f"resets {loop} tls", partial(vanishing, size, loop=loop, tls=tls)
        yield f"early {loop}", partial(early, size, loop=loop)
        yield f"early {loop} tls", partial(early, size, loop=loop, tls=tls)
        yield f"updates {loop} tls", partial(updating, size, loop=loop, tls=tls)
        yield f"client {loop}", partial(client, size, loop=loop)
    few = Size(size.clients, min(size.requests, 50), 0)
    yield "exhausted", partial(calls, few, exhausted=True, probability=0.5)
    yield "loss", partial(loss, few)
    yield "cut", partial(cut, size)


def available_loops() -> list[str]:
    """Return asyncio, and uvloop if it is installed."""
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return ["asyncio"]
    return ["asyncio", "uvloop"]
