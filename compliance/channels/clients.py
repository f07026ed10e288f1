"""The random test of whole clients: workers in processes, a proxy before each, and a broker that fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

from compliance.channels.client import TRANSPORTS, User
from compliance.channels.hosts import SecondHost, Worker
from compliance.channels.proxy import Proxy
from compliance.channels.record import Record
from compliance.channels.worker import broker_of, history_of, report_error
from tests.support.databases import NATSServer, RedisServer
from tornado.channels import BrokerUnavailableError, Hub, PublishError

BrokerServer: TypeAlias = RedisServer | NATSServer

CHANNELS = ("short", "a", "b", "c", "d", "e")
WORKERS = 4
#: Workers with this index and above run on the second host.
SECOND = 2
#: The time limit for messages after the last fault, in seconds: a poll whose response was lost lasts 45 s.
MESSAGES_WITHIN = 60.0
#: The time limit for presence after that, and the time for which clients are present after a poll.
PRESENCE_WITHIN, LINGER = 10.0, 10.0
#: The time in which all clients connect again after a restart of the broker, because it may have lost
#: revocations: their connections are closed within ten seconds, and each client waits for at most five.
RECONNECT = 15.0
_MAX_PUBLISHING = 100


class ClientsModel:
    """Workers, clients, and the operations on them.

    :param server: the broker.
    :param seed: the seed of all random choices.
    :param folder: the folder for the logs of the workers.
    :param host: the second host; None to run all workers on this one, without partitions.
    :ivar counts: how often each operation was executed.
    :ivar slowest: the longest time until messages and presence were complete after the faults.
    """

    def __init__(
        self, server: BrokerServer, seed: int, folder: Path, host: SecondHost | None, clients: int = 300
    ) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.record = Record()
        self.counts: dict[str, int] = {}
        self.slowest = [0.0, 0.0, 0.0]
        self._host = host
        self._restarted_at = -math.inf
        self.workers = []
        for number in range(WORKERS):
            far = host if number >= SECOND else None
            url = server.url if far is None else server.url.replace("127.0.0.1", far.near)
            self.workers.append(Worker(url, folder / f"worker-{number}.log", far))
        self.proxies = [Proxy(self.random) for _ in self.workers]
        self.users = [self._user(number, clients) for number in range(clients)]
        self._hub = Hub(broker_of(server.url), history=history_of)
        self._count = 0
        self._publishing: set[asyncio.Task[None]] = set()
        #: The faults that have not ended, by what they concern.
        self._faults: dict[str, asyncio.Task[None]] = {}

    def _user(self, number: int, clients: int) -> User:
        channels = self.random.sample(CHANNELS, self.random.choice([1, 1, 2]))
        member = f"user {self.random.randrange(max(1, clients // 2))}"
        return User(
            number,
            member,
            TRANSPORTS[number % len(TRANSPORTS)],
            channels,
            self.record,
            is_present=self.random.random() < 0.3,
            watches=self.random.random() < 0.15,
        )

    async def run(self, rounds: int, calm_after: int, report: Callable[[str], None]) -> None:
        """Execute operations. After every `calm_after`, wait until all clients have everything."""
        with self._errors_as_problems():
            try:
                await self._start()
                for number in range(1, rounds + 1):
                    await self._step()
                    if number % calm_after == 0 or number == rounds:
                        await self._converge()
                        report(f"{number} rounds: {self.figures()}")
                        if self.record.problems:
                            break
            finally:
                await self._close()
        for worker in self.workers:
            for line in worker.log.read_text(errors="replace").splitlines():
                if " ERROR " in line:
                    self.record.fail(f"{worker.log.name}: {line}")

    def figures(self) -> str:
        """Return the figures of the test so far."""
        record = self.record
        parts = [
            f"{record.messages} messages received",
            f"{record.gaps} gaps",
            f"{record.confirmed} confirmed",
        ]
        parts += [f"{sum(proxy.cuts for proxy in self.proxies)} cuts"]
        parts += [f"{self.counts[name]} {name}" for name in sorted(self.counts)]
        parts += [
            "complete after {:.1f} s, presence after {:.1f} s, with polls {:.1f} s".format(*self.slowest)
        ]
        return ", ".join([*parts, f"{len(record.problems)} problems"])

    @contextlib.contextmanager
    def _errors_as_problems(self) -> Iterator[None]:
        handler = _Problems(self.record)
        logger = logging.getLogger("asyncio")
        logger.addHandler(handler)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(report_error)
        try:
            yield
        finally:
            loop.set_exception_handler(None)
            logger.removeHandler(handler)

    async def _start(self) -> None:
        await asyncio.gather(*(self._start_worker(number) for number in range(WORKERS)))
        for proxy in self.proxies:
            await proxy.start()
        await self._hub.start()
        for user in self.users:
            self._connect(user)

    async def _close(self) -> None:
        tasks = [*self._publishing, *self._faults.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(user.close() for user in self.users))
        await self._hub.close()
        for proxy in self.proxies:
            await proxy.close()
        for worker in self.workers:
            await worker.stop()

    async def _start_worker(self, number: int) -> None:
        worker = self.workers[number]
        await worker.start()
        self.proxies[number].target = (worker.address, worker.port)

    def _connect(self, user: User) -> None:
        user.connect(f"http://127.0.0.1:{self.random.choice(self.proxies).port}/channels")

    # -- operations --

    async def _step(self) -> None:
        names = [*_OPERATIONS]
        [name] = self.random.choices(names, [_OPERATIONS[each][1] for each in names])
        await _OPERATIONS[name][0](self, name)
        while len(self._publishing) > _MAX_PUBLISHING:
            await asyncio.wait(self._publishing, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(self.random.choice([0, 0, 0.001, 0.02]))

    def _note(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    async def _fault(self, name: str, concerned: str, fault: Coroutine[Any, Any, None]) -> None:
        """Let a fault begin, unless another one concerns the same process or host."""
        if concerned in self._faults:
            fault.close()
            return
        self._note(name)
        task = asyncio.ensure_future(fault)
        self._faults[concerned] = task

        def end(task: asyncio.Task[None]) -> None:
            self._faults.pop(concerned, None)
            if not task.cancelled() and task.exception() is not None:
                self.record.fail(f"{name}: {task.exception()!r}")

        task.add_done_callback(end)

    async def _publish(self, name: str) -> None:
        """Publish some messages at once."""
        channel = self.random.choice(CHANNELS)
        for _ in range(self.random.choice([1, 1, 2, 30])):
            self._add_publication(self._publish_by_hub(channel, self._next()))

    async def _publish_by_client(self, name: str) -> None:
        channel = self.random.choice(CHANNELS)
        for _ in range(self.random.choice([1, 1, 2, 10])):
            user = self.random.choice(self.users)
            self._add_publication(user.publish(channel, self._next(), 5.0))

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _add_publication(self, publication: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(publication)
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish_by_hub(self, channel: str, data: int) -> None:
        try:
            position = await self._hub.publish(channel, data)
        except PublishError:
            return
        self.record.confirm(channel, position, data)

    async def _move(self, name: str) -> None:
        """Connect some clients to another worker."""
        for user in self.random.sample(self.users, self.random.choice([1, 1, 3])):
            self._connect(user)

    async def _leave(self, name: str) -> None:
        self.random.choice(self.users).disconnect()

    async def _cut(self, name: str) -> None:
        """Cut a part of the connections of a worker."""
        truncate = self.random.random() < 0.3
        self.random.choice(self.proxies).cut(self.random.choice([0.02, 0.02, 0.1, 0.5]), truncate)

    async def _pause(self, name: str) -> None:
        await asyncio.sleep(self.random.choice([0.05, 0.2]))

    async def _kill(self, name: str) -> None:
        await self._restart_worker(name, signal.SIGKILL)

    async def _drain(self, name: str) -> None:
        await self._restart_worker(name, signal.SIGTERM)

    async def _restart_worker(self, name: str, number: int) -> None:
        worker = self.random.randrange(WORKERS)
        delay = self.random.choice([0, 0.3, 1])

        async def restart() -> None:
            if number == signal.SIGKILL:
                self.proxies[worker].target = None
            await self.workers[worker].stop(number)
            self.proxies[worker].target = None
            await asyncio.sleep(delay)
            await self._start_worker(worker)

        await self._fault(name, f"worker {worker}", restart())

    async def _stall(self, name: str) -> None:
        """Forward nothing between a worker and its clients for some time."""
        number, delay = self.random.randrange(WORKERS), self.random.choice([0.1, 0.5, 3])
        proxy = self.proxies[number]

        async def stall() -> None:
            proxy.stall(True)
            try:
                await asyncio.sleep(delay)
            finally:
                proxy.stall(False)

        await self._fault(name, f"proxy {number}", stall())

    async def _delay(self, name: str) -> None:
        """Delay what is sent between a worker and its clients."""
        number = self.random.randrange(WORKERS)
        proxy, delay, duration = (
            self.proxies[number],
            self.random.choice([0.005, 0.05]),
            self.random.choice([0.1, 1]),
        )

        async def hold() -> None:
            proxy.delay = delay
            try:
                await asyncio.sleep(duration)
            finally:
                proxy.delay = 0.0

        await self._fault(name, f"proxy {number}", hold())

    async def _kill_broker(self, name: str) -> None:
        """Kill the broker, and start it with all data, with older data, or without."""
        data, delay = self.random.choice(["new", "old", "none"]), self.random.choice([0, 0.3, 1.5])

        async def restart() -> None:
            if data == "new":
                await self._redis("SAVE")
            self.record.kills += 1
            await asyncio.to_thread(self.server.stop)
            if data == "none":
                self.server.remove_data()
            await asyncio.sleep(delay)
            await asyncio.to_thread(self.server.start)
            self._restarted_at = monotonic()

        await self._fault(name, "broker", restart())

    async def _suspend_broker(self, name: str) -> None:
        duration = self.random.choice([0.05, 0.5, 2])

        async def suspend() -> None:
            with self.server.paused():
                await asyncio.sleep(duration)

        await self._fault(name, "broker", suspend())

    async def _client_kill(self, name: str) -> None:
        """Let Redis close connections."""
        kind = self.random.choice(["pubsub", "normal"])
        if isinstance(self.server, RedisServer):
            await self._fault(name, "broker", self._redis(f"CLIENT KILL TYPE {kind}"))

    async def _redis(self, command: str) -> None:
        if isinstance(self.server, RedisServer):
            await asyncio.to_thread(self.server.run, command)

    async def _partition(self, name: str) -> None:
        """Separate the second host from the broker, or from everything."""
        host = self._host
        kind, duration = self.random.choice(["broker", "all", "reset"]), self.random.choice([0.2, 1, 4])
        if host is None:
            return

        async def separate() -> None:
            await asyncio.to_thread(host.separate, self.server.port, kind)
            try:
                await asyncio.sleep(duration)
            finally:
                await asyncio.to_thread(host.connect)

        await self._fault(name, "second host", separate())

    # -- convergence --

    async def _converge(self) -> None:
        """Wait until all faults have ended and all clients have everything; then check."""
        while tasks := [*self._publishing, *self._faults.values()]:
            await asyncio.wait(tasks)
        begin = monotonic()
        for user in self.users:
            if not user.is_connected:
                self._connect(user)  # its back-off may be long
        for channel in CHANNELS:
            # A client that has everything up to this message is connected.
            await self._publish_by_hub_until_stored(channel)
        found = await self._until(self._behind, begin + MESSAGES_WITHIN)
        self.slowest[0] = max(self.slowest[0], monotonic() - begin)
        complete = monotonic()
        settled = max(complete, self._restarted_at + RECONNECT)
        if not found:
            found = await self._until(self._wrong_presence, settled + PRESENCE_WITHIN)
            self.slowest[1] = max(self.slowest[1], monotonic() - complete)
        if not found:
            found = await self._until(
                partial(self._wrong_presence, with_polls=True), settled + LINGER + PRESENCE_WITHIN
            )
            self.slowest[2] = max(self.slowest[2], monotonic() - complete)
        if found:
            for worker in self.workers:
                worker.print_tasks()
            await asyncio.sleep(1)
            with contextlib.suppress(BrokerUnavailableError):
                for channel in CHANNELS:
                    found.append(f"presence in {channel}: {await self._hub.broker.list_presence(channel)}")
        for problem in found:
            self.record.fail(problem)
        self.record.check()

    async def _publish_by_hub_until_stored(self, channel: str) -> None:
        data = self._next()
        position = await self._hub.publish(channel, data, timeout=MESSAGES_WITHIN)
        self.record.confirm(channel, position, data)

    async def _until(self, problems: Callable[[], Awaitable[list[str]]], end: float) -> list[str]:
        """Wait until there are no problems. Return those that remain at a time."""
        while True:
            found = await problems()
            if not found or monotonic() > end:
                return found
            await asyncio.sleep(0.1)

    async def _behind(self) -> list[str]:
        try:
            heads = {channel: await self._hub.head(channel) for channel in CHANNELS}
        except BrokerUnavailableError as error:
            return [f"the last positions are unknown: {error}"]
        return [
            f"{track!r} is at {track.position}, not at {heads[track.channel]}; {user.describe()}"
            for user in self.users
            for track in user.tracks.values()
            if track.position != heads[track.channel]
        ]

    async def _wrong_presence(self, with_polls: bool = False) -> list[str]:
        """Return where the members of a channel differ from what a client knows about them."""
        polling = set() if with_polls else {user.number for user in self.users if user.transport == "poll"}
        expected: dict[str, dict[str, list[int]]] = {channel: {} for channel in CHANNELS}
        for user in self.users:
            if user.is_present and user.number not in polling:
                for channel in user.tracks:
                    expected[channel].setdefault(user.member, []).append(user.number)
        problems = []
        for user in self.users:
            if user.watches:
                for channel in user.tracks:
                    found = user.members(channel, polling)
                    wanted = {name: sorted(each) for name, each in expected[channel].items()}
                    problems += [
                        f"{user.name}: {name} is present in {channel} with {found.get(name)}, "
                        f"not with {wanted.get(name)}"
                        for name in sorted(found.keys() | wanted.keys())
                        if found.get(name) != wanted.get(name)
                    ]
        return problems


class _Problems(logging.Handler):
    """Adds log records of level ERROR to the problems."""

    def __init__(self, record: Record) -> None:
        super().__init__(logging.ERROR)
        self._record = record

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self._record.fail(record.getMessage())


#: For each operation its method and its weight.
_OPERATIONS: dict[str, tuple[Callable[[ClientsModel, str], Awaitable[None]], float]] = {
    "publish": (ClientsModel._publish, 30),
    "publish by client": (ClientsModel._publish_by_client, 20),
    "move": (ClientsModel._move, 22),
    "leave": (ClientsModel._leave, 2),
    "cut": (ClientsModel._cut, 6),
    "pause": (ClientsModel._pause, 10),
    "workers killed": (ClientsModel._kill, 0.8),
    "workers drained": (ClientsModel._drain, 0.6),
    "proxies stalled": (ClientsModel._stall, 1.5),
    "proxies delayed": (ClientsModel._delay, 2),
    "broker killed": (ClientsModel._kill_broker, 0.6),
    "broker suspended": (ClientsModel._suspend_broker, 0.6),
    "broker's clients killed": (ClientsModel._client_kill, 1),
    "partitions": (ClientsModel._partition, 1),
}

__all__ = ["ClientsModel"]
