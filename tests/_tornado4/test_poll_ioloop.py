"""``ioloop.PollIOLoop``, ``platform.select``, ``platform.epoll`` and ``platform.kqueue``."""

from __future__ import annotations

import asyncio
import datetime
import select
import selectors
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.program import output_of
from tornado._tornado4 import poll_ioloop
from tornado.ioloop import IOLoop, PeriodicCallback, PollIOLoop
from tornado.platform.epoll import EPollIOLoop
from tornado.platform.kqueue import KQueueIOLoop
from tornado.platform.select import SelectIOLoop, _Select

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


class RecordingPoller(_Select):
    """A custom poller that stores its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def register(self, fd: int, events: int) -> None:
        self.calls.append("register")
        super().register(fd, events)

    def modify(self, fd: int, events: int) -> None:
        self.calls.append("modify")
        super().modify(fd, events)

    def unregister(self, fd: int) -> None:
        self.calls.append("unregister")
        super().unregister(fd)

    def close(self) -> None:
        self.calls.append("close")


class SimulatedTime(_Select):
    """A poller that never waits: the simulated time is set to that of the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def poll(self, timeout: float) -> Any:
        found = super().poll(0)
        if not found:
            self.now += timeout
        return found


class SimulatedLoop(PollIOLoop):
    def initialize(self, **kwargs: Any) -> None:
        self.simulated = SimulatedTime()
        super().initialize(impl=self.simulated, time_func=self.simulated.time, **kwargs)


KINDS: dict[str, Callable[..., Any]] = {
    "default": PollIOLoop,
    "select": SelectIOLoop,
    "own poller": lambda **kwargs: PollIOLoop(impl=RecordingPoller(), **kwargs),
    "own selector": lambda **kwargs: PollIOLoop(impl=selectors.SelectSelector(), **kwargs),
}
if hasattr(select, "epoll"):
    KINDS["epoll"] = EPollIOLoop
    KINDS["select.epoll"] = lambda **kwargs: PollIOLoop(impl=select.epoll(), **kwargs)
if hasattr(select, "kqueue"):
    KINDS["kqueue"] = KQueueIOLoop


@pytest.fixture(params=KINDS)
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = KINDS[request.param](make_current=False)
    yield made
    made.close()


def test_runs_callbacks_timers_and_coroutines(loop: Any) -> None:
    order: list[object] = []

    async def main() -> str:
        loop.add_callback(order.append, "callback")
        loop.call_later(0.001, order.append, "timer")
        await asyncio.sleep(0.002)
        order.append(await loop.run_in_executor(None, lambda: IOLoop.current() is loop))
        assert IOLoop.current() is loop
        return "result"

    assert loop.run_sync(main) == "result"
    assert order == ["callback", "timer", False]


def test_handler_is_called_for_read_and_write_events(loop: Any) -> None:
    near, far = socket.socketpair()
    seen: list[int] = []

    def ready(registered: socket.socket, events: int) -> None:
        seen.append(events)
        if events & IOLoop.WRITE:
            loop.update_handler(registered, IOLoop.READ)
            far.send(b"x")
        else:
            assert registered.recv(1) == b"x"
            loop.remove_handler(registered)
            loop.stop()

    loop.add_handler(near, ready, IOLoop.READ | IOLoop.WRITE)
    loop.start()
    near.close()
    far.close()
    assert seen == [IOLoop.WRITE, IOLoop.READ]


def test_handler_is_called_when_peer_closes(loop: Any) -> None:
    near, far = socket.socketpair()
    far.close()

    def ready(registered: socket.socket, events: int) -> None:
        assert registered.recv(1) == b""
        loop.remove_handler(registered)
        loop.stop()

    loop.add_handler(near, ready, IOLoop.READ)
    loop.start()
    near.close()


def test_custom_poller_receives_changes_and_is_closed() -> None:
    poller = RecordingPoller()
    made = PollIOLoop(impl=poller, make_current=False)
    near, far = socket.socketpair()
    del poller.calls[:]
    made.add_handler(near, lambda fd, events: None, IOLoop.READ)
    made.update_handler(near, IOLoop.READ | IOLoop.WRITE)
    made.remove_handler(near)
    changes = ["unregister", "register"]  # the calls that modify() of the base class makes
    assert poller.calls == ["register", "modify", *changes, "modify", *changes, "unregister"]
    made.close()
    assert poller.calls[-1] == "close"
    near.close()
    far.close()


def test_event_of_unregistered_descriptor_is_ignored() -> None:
    class Late(_Select):
        def poll(self, timeout: float) -> Any:
            return [(10**6, IOLoop.READ), *super().poll(0)]

    made = PollIOLoop(impl=Late(), make_current=False)
    assert made.run_sync(lambda: asyncio.sleep(0, "done")) == "done"
    made.close()


def test_interrupted_poll_is_repeated() -> None:
    class Interrupted(_Select):
        first = True

        def poll(self, timeout: float) -> Any:
            if self.first:
                self.first = False
                raise InterruptedError
            return super().poll(timeout)

    made = PollIOLoop(impl=Interrupted(), make_current=False)
    assert made.run_sync(lambda: asyncio.sleep(0, "done")) == "done"
    made.close()


def test_failed_registration_leaves_the_descriptor_unregistered() -> None:
    class Refusing(_Select):
        refuses = False

        def register(self, fd: int, events: int) -> None:
            if self.refuses:
                raise OSError("refused")
            super().register(fd, events)

    poller = Refusing()
    selector = poll_ioloop.PollerSelector(poller)
    near, far = socket.socketpair()
    poller.refuses = True
    with pytest.raises(OSError, match="refused"):
        selector.register(near, selectors.EVENT_READ)
    assert near not in selector.get_map()
    poller.refuses = False
    selector.register(near, selectors.EVENT_READ)
    selector.close()
    near.close()
    far.close()


def test_time_func_controls_timers() -> None:
    made = SimulatedLoop(make_current=False)
    times: list[float] = []

    def note() -> None:
        times.append(made.time())
        if len(times) == 2:
            made.stop()

    made.add_timeout(datetime.timedelta(hours=10), note)
    made.call_at(made.time() + 60, note)
    made.start()
    made.close()
    assert times == [1060.0, 37000.0]


def test_time_func_controls_periodic_callbacks() -> None:
    made = SimulatedLoop()
    times: list[float] = []

    def note() -> None:
        times.append(made.time())
        made.simulated.now += 15  # the callback takes longer than the period
        if len(times) == 3:
            made.stop()

    callback = PeriodicCallback(note, 10_000)
    callback.start()
    made.start()
    callback.stop()
    made.close()
    assert times == [1010.0, 1030.0, 1050.0]


def test_select_poller_rejects_second_registration() -> None:
    poller = _Select()
    poller.register(5, IOLoop.READ)
    with pytest.raises(OSError, match="file descriptor 5 is already registered"):
        poller.register(5, IOLoop.WRITE)


def test_warning_names_replacement() -> None:
    with pytest.warns(
        DeprecationWarning, match=r"SelectIOLoop is in the deprecated style of Tornado 4; use IOLoop\(\)"
    ):
        SelectIOLoop(make_current=False).close()


@pytest.mark.parametrize(
    ("kind", "selector"), [(EPollIOLoop, "EpollSelector"), (KQueueIOLoop, "KqueueSelector")]
)
def test_missing_platform_support_is_reported_on_use(
    kind: type[PollIOLoop], selector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(selectors, selector, raising=False)
    with pytest.raises(
        RuntimeError, match=r"(epoll|kqueue) is not available on this platform \(.*\): use IOLoop"
    ):
        kind(make_current=False)


def test_failed_construction_closes_poller_and_loop() -> None:
    poller = RecordingPoller()
    with pytest.raises(TypeError):
        PollIOLoop(impl=poller, no_such_argument=True)
    assert poller.calls[-1] == "close"


def test_configure_by_name() -> None:
    out = output_of("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from tornado.ioloop import IOLoop
        IOLoop.configure("tornado.platform.select.SelectIOLoop")
        loop = IOLoop()
        print(type(loop).__module__, type(loop).__name__, IOLoop.current() is loop)
        loop.close()
    """)
    assert out == "tornado.platform.select SelectIOLoop True\n"


def test_importing_ioloop_does_not_import_the_pollers() -> None:
    out = output_of("""
        import sys
        import tornado.ioloop, tornado.web
        print("tornado._tornado4.poll_ioloop" in sys.modules)
    """)
    assert out == "False\n"
