"""Stack contexts apply to the callbacks started inside them, in order, and to no other code."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

import pytest

from tornado import gen, stack_context
from tornado.ioloop import IOLoop
from tornado.stack_context import ExceptionStackContext, NullContext, StackContext

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


class Track:
    """A factory of context managers that record their events."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.open: list[str] = []

    def __call__(self, name: str):
        @contextlib.contextmanager
        def manager():
            self.events.append(f"enter {name}")
            self.open.append(name)
            try:
                yield
            finally:
                self.open.remove(name)
                self.events.append(f"leave {name}")

        return manager


async def run_loop_iterations(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_callback_runs_inside_active_managers():
    track, seen = Track(), []
    with StackContext(track("a")), StackContext(track("b")):
        IOLoop.current().add_callback(lambda: seen.append(list(track.open)))
    assert track.open == []
    await run_loop_iterations()
    assert seen == [["a", "b"]]
    assert track.events == [*["enter a", "enter b", "leave b", "leave a"] * 2]


async def test_managers_apply_to_chain_of_callbacks():
    track, seen = Track(), []
    loop = IOLoop.current()

    def second():
        seen.append(list(track.open))

    def first():
        loop.add_callback(second)

    with StackContext(track("a")):
        loop.call_later(0, first)
    while not seen:
        await asyncio.sleep(0)
    assert seen == [["a"]]


async def test_callback_started_outside_has_no_managers():
    track, seen = Track(), []
    with StackContext(track("a")):
        pass
    IOLoop.current().add_callback(lambda: seen.append(list(track.open)))
    await run_loop_iterations()
    assert seen == [[]]


async def test_innermost_handler_that_returns_true_handles_callback_exception():
    seen = []

    def handler(name, takes):
        def handle(kind, error, trace):
            seen.append((name, kind, str(error), trace is not None))
            return takes

        return handle

    def fail():
        raise ValueError("in the callback")

    with ExceptionStackContext(handler("outer", True)), ExceptionStackContext(handler("inner", False)):
        IOLoop.current().add_callback(fail)
    await run_loop_iterations()
    assert seen == [
        ("inner", ValueError, "in the callback", True),
        ("outer", ValueError, "in the callback", True),
    ]


async def test_unhandled_exception_is_logged(expect_log):
    with ExceptionStackContext(lambda *_: False):
        IOLoop.current().add_callback(lambda: 1 / 0)
    with expect_log("tornado.application", "Exception in callback"):
        await run_loop_iterations()


async def test_exception_in_block_is_passed_to_handler():
    with ExceptionStackContext(lambda kind, error, trace: kind is KeyError):
        raise KeyError("taken")
    with pytest.raises(ValueError), ExceptionStackContext(lambda kind, error, trace: kind is KeyError):
        raise ValueError("not taken")


async def test_keyboard_interrupt_is_not_passed_to_handler():
    with pytest.raises(KeyboardInterrupt), ExceptionStackContext(lambda *_: True):
        raise KeyboardInterrupt


async def test_exception_of_coroutine_started_by_callback_is_handled():
    seen = []

    async def fail():
        await asyncio.sleep(0)
        raise ValueError("late")

    with ExceptionStackContext(lambda kind, error, trace: seen.append(str(error)) or True):
        IOLoop.current().add_callback(fail)
    await run_loop_iterations(6)
    assert seen == ["late"]


async def test_manager_receives_callback_exception():
    @contextlib.contextmanager
    def swallow():
        with contextlib.suppress(ZeroDivisionError):
            yield

    with StackContext(swallow):
        IOLoop.current().add_callback(lambda: 1 / 0)
    await run_loop_iterations()


async def test_deactivated_manager_is_not_entered_again():
    track, seen = Track(), []
    with StackContext(track("a")) as deactivate:
        IOLoop.current().add_callback(lambda: seen.append(list(track.open)))
    deactivate()
    await run_loop_iterations()
    assert seen == [[]]


async def test_null_context_deactivates_managers():
    track, seen = Track(), []
    with StackContext(track("a")):
        with NullContext():
            IOLoop.current().add_callback(lambda: seen.append(list(track.open)))
        IOLoop.current().add_callback(lambda: seen.append(list(track.open)))
    await run_loop_iterations()
    assert seen == [[], ["a"]]


async def test_wrapped_function_keeps_its_contexts():
    track = Track()
    with StackContext(track("a")):
        wrapped = stack_context.wrap(lambda first, second=0: (list(track.open), first, second))
        track.events.clear()
        assert wrapped(1) == (["a"], 1, 0)
        assert track.events == []  # already inside the context
    assert wrapped(1, second=2) == (["a"], 1, 2)
    assert track.events[-2:] == ["enter a", "leave a"]
    with StackContext(track("b")):
        assert wrapped(1) == (["b", "a"], 1, 0)


async def test_wrap_none_and_wrap_twice():
    assert stack_context.wrap(None) is None
    wrapped = stack_context.wrap(print)
    assert stack_context.wrap(wrapped) is wrapped


async def test_function_wrapped_without_contexts_runs_without_callers_contexts():
    seen = []
    wrapped = stack_context.wrap(lambda: IOLoop.current().add_callback(lambda: seen.append(list(track.open))))
    track = Track()
    with StackContext(track("a")):
        wrapped()
    await run_loop_iterations()
    assert seen == [[]]


async def test_run_with_stack_context():
    track = Track()
    assert stack_context.run_with_stack_context(StackContext(track("a")), lambda: list(track.open)) == ["a"]


async def test_coroutine_keeps_handlers_for_its_callbacks():
    seen = []

    @gen.coroutine
    def work():
        yield gen.moment
        IOLoop.current().add_callback(lambda: 1 / 0)

    with ExceptionStackContext(lambda kind, error, trace: seen.append(kind) or True):
        future = work()
    await future
    await run_loop_iterations()
    assert seen == [ZeroDivisionError]


async def test_exit_in_wrong_order_raises():
    track = Track()
    outer, inner = StackContext(track("a")), StackContext(track("b"))
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(stack_context.StackContextInconsistentError, match="not exited in the context"):
        outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda: StackContext(contextlib.nullcontext), "StackContext"),
        (lambda: ExceptionStackContext(print, delay_warning=True), "ExceptionStackContext"),
        (lambda: stack_context.wrap(print), "stack_context.wrap"),
        (lambda: stack_context.run_with_stack_context(NullContext(), int), "run_with_stack_context"),
    ],
)
def test_each_function_warns(use, name):
    with pytest.warns(
        DeprecationWarning, match=f"^{name} is in the deprecated style of Tornado 4; use contextvars"
    ) as caught:
        use()
    assert caught[0].filename == __file__


def test_contexts_are_thread_local():
    program = """
import threading, contextlib, warnings
warnings.simplefilter("ignore")
from tornado.stack_context import StackContext, wrap
with StackContext(contextlib.nullcontext):
    f = wrap(lambda: "done")
    seen = []
    t = threading.Thread(target=lambda: seen.append(f())); t.start(); t.join()
    assert seen == ["done"]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


async def test_steps_of_a_coroutine_run_inside_its_managers():
    track, seen = Track(), []

    @gen.coroutine
    def inner():
        seen.append(list(track.open))
        yield gen.moment
        seen.append(list(track.open))

    @gen.coroutine
    def outer():
        yield stack_context.run_with_stack_context(StackContext(track("b")), inner)
        seen.append(list(track.open))
        return "done"

    with StackContext(track("a")):
        future = outer()
    assert await future == "done"
    assert seen == [["a", "b"], ["a", "b"], ["a"]]
    assert track.open == []


async def test_managers_do_not_receive_exception_of_coroutine():
    seen = []

    @gen.coroutine
    def fail():
        yield gen.moment
        raise KeyError("for the caller")

    with ExceptionStackContext(lambda kind, error, trace: seen.append(kind) or True):
        future = fail()
    with pytest.raises(KeyError, match="for the caller"):
        await future
    assert seen == []


@pytest.mark.parametrize("steps", [0, 2])
async def test_yield_inside_the_block_of_a_context_is_an_error(steps):
    track = Track()

    @gen.coroutine
    def work():
        for _ in range(steps):
            yield gen.moment
        with StackContext(track("a")):
            yield gen.moment

    with pytest.raises(stack_context.StackContextInconsistentError, match="run_with_stack_context"):
        await work()
    assert track.open == []


async def test_coroutine_that_catches_inconsistency_error_fails_with_it():
    @gen.coroutine
    def work():
        while True:
            context = NullContext()
            try:
                context = StackContext(contextlib.nullcontext)
                context.__enter__()
                yield gen.moment
            except stack_context.StackContextInconsistentError:
                pass

    with pytest.raises(stack_context.StackContextInconsistentError):
        await work()


async def test_manager_that_fails_on_entry_is_reported_to_the_coroutine():
    seen, opened = [], []

    @contextlib.contextmanager
    def once():
        opened.append(1)
        if len(opened) > 1:
            raise ValueError("cannot be entered again")
        yield

    @gen.coroutine
    def work():
        yield gen.moment

    handler = ExceptionStackContext(lambda kind, error, trace: seen.append(str(error)) or True)
    with handler, StackContext(once):
        future = work()
    with pytest.raises(stack_context.StackContextInconsistentError):
        await future
    assert seen == ["cannot be entered again"]


async def test_state_links_active_contexts():
    def chain():
        link, found = stack_context._state.contexts[1], []
        while link is not None:
            found.append(link.context)
            link = link.old_contexts[1]
        return found

    assert stack_context._state.contexts == ((), None)
    outer = StackContext(contextlib.nullcontext)
    handler = ExceptionStackContext(lambda *_: False)
    inner = StackContext(contextlib.nullcontext)
    with outer as deactivate, handler, inner:
        full, head = stack_context._state.contexts
        assert [link.context for link in full] == [outer, inner]
        assert full[-1] is head
        assert chain() == [inner, handler, outer]
        deactivate()
        assert chain() == [inner, handler]
    assert chain() == []


async def test_state_is_saved_and_restored():
    track, seen = Track(), []
    with StackContext(track("a")):
        saved = stack_context._state.contexts
    before = stack_context._state.contexts
    stack_context._state.contexts = saved
    try:
        IOLoop.current().add_callback(lambda: seen.append(list(track.open)))
    finally:
        stack_context._state.contexts = before
    await run_loop_iterations()
    assert seen == [["a"]]
    assert stack_context._state.contexts == ((), None)


async def test_function_wrapped_before_a_loop_is_run_inside_the_same_block():
    # Exceptions of the callback do not reach the block, because the loop handles them.
    seen = []

    def run():
        loop = IOLoop(make_current=False)
        try:
            with ExceptionStackContext(lambda kind, error, trace: seen.append(kind) or True):
                loop.asyncio_loop.call_soon(stack_context.wrap(lambda: 1 / 0))
                loop.add_callback(loop.stop)
                loop.start()
        finally:
            loop.close()

    await asyncio.to_thread(run)
    assert seen == [ZeroDivisionError]
