"""`PerLoop`: one object for each event loop, which lives as long as the loop."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref

import pytest

from tornado._loop.per_loop import PerLoop, call_at_close, run_close_callbacks
from tornado.ioloop import IOLoop

_numbers = itertools.count()


class Thing:
    """An object of which each loop has one."""

    def __init__(self, loop: object) -> None:
        self.loop = weakref.ref(loop)


class SlottedLoop:
    """A loop of a class without ``__dict__``."""

    __slots__ = ("__weakref__",)


def make() -> PerLoop[Thing]:
    return PerLoop(f"thing {next(_numbers)}", Thing)


async def test_each_loop_has_one_object(loop_kind: str) -> None:
    things, loop = make(), asyncio.get_running_loop()
    assert things.find(loop) is None
    thing = things.get(loop)
    assert thing.loop() is loop
    assert things.get(loop) is things.find(loop) is thing
    assert loop.__dict__[things.key] is thing
    other = asyncio.new_event_loop()
    assert things.find(other) is None
    assert things.get(other) is not thing
    other.close()


async def test_io_loop_has_its_own_object() -> None:
    things, io_loop = make(), IOLoop.current()
    assert things.get(io_loop) is things.get(io_loop)
    assert things.get(io_loop) is not things.get(asyncio.get_running_loop())


async def test_objects_of_several_kinds_are_independent() -> None:
    loop = asyncio.get_running_loop()
    first, second = make(), make()
    assert first.get(loop) is not second.get(loop)


def test_removed_object_is_created_again() -> None:
    things = make()
    for loop in (IOLoop(make_current=False), SlottedLoop()):
        assert things.pop(loop) is None
        thing = things.get(loop)
        assert things.pop(loop) is thing
        assert things.pop(loop) is things.find(loop) is None
        assert things.get(loop) is not thing
        if isinstance(loop, IOLoop):
            loop.close()


def test_loop_without_dict() -> None:
    things, first, second = make(), SlottedLoop(), SlottedLoop()
    assert things.find(first) is None
    thing = things.get(first)
    assert things.get(first) is things.find(first) is thing
    assert things.find(second) is None
    assert things.get(second) is not thing


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, SlottedLoop])
def test_object_is_released_with_its_loop(make_loop: type) -> None:
    things, loop = make(), make_loop()
    held = weakref.ref(things.get(loop))
    if isinstance(loop, asyncio.AbstractEventLoop):
        loop.close()
    del loop
    gc.collect()
    assert held() is None


def test_names_are_unique() -> None:
    things = make()
    with pytest.raises(ValueError, match="already a PerLoop called 'thing"):
        PerLoop(things.key.removeprefix("_tornado "), Thing)


def test_close_callbacks_run_in_reverse_order() -> None:
    calls: list[tuple[str, bool]] = []
    io_loop = IOLoop(make_current=False)
    call_at_close(io_loop, lambda all_fds: calls.append(("first", all_fds)))
    call_at_close(io_loop, lambda all_fds: calls.append(("second", all_fds)))
    io_loop.close(all_fds=True)
    assert calls == [("second", True), ("first", True)]
    run_close_callbacks(io_loop, False)
    assert len(calls) == 2


def test_close_callbacks_of_other_loops_do_not_run() -> None:
    calls: list[bool] = []
    io_loop, other = IOLoop(make_current=False), IOLoop(make_current=False)
    call_at_close(io_loop, calls.append)
    other.close()
    assert calls == []
    io_loop.close()
    assert calls == [False]
