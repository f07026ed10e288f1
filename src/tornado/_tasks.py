"""Tasks that start at once, Tasks that nobody holds, and the Future that is already done.

`asyncio.create_task` costs a turn of the loop before the coroutine's first line runs. A server pays that
for each request whose handler is an ``async def``, though most of them never wait for anything.
`run_eagerly` makes a real Task and runs its first step before it returns:

* Python 3.12 and later can do that themselves (``eager_start``).
* On Python 3.11 a new C Task hands its first step to ``loop.call_soon``. That name is shadowed, in the
  loop's own ``__dict__``, for as long as the constructor runs; the step that arrives there is then run in
  place. Whatever else arrives meanwhile (a finalizer may run at any allocation) is passed on to the loop.

Either way `asyncio.current_task`, `asyncio.timeout`, task groups and cancellation work from the first line
on, since the Task's own code runs the step. Where the way is not open (the loop is not the running one, a
task is running already, somebody has a task factory, the loop or the Task class is not one we know) it is
plain ``create_task``.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import tasks
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import FunctionType
from typing import Any, TypeVar

try:
    from _asyncio import Task as _CTask
except ImportError:  # an interpreter without the C accelerator
    _CTask = None  # type: ignore[assignment,misc]

_T = TypeVar("_T")
_Held = TypeVar("_Held", bound="asyncio.Future[Any]")

# One constant name saves asyncio the formatting of "Task-123".
_NAME = "tornado"
_STARTER = "_tornado_starter"
_DONE = "_tornado_done_future"
_HAS_EAGER_START = sys.version_info >= (3, 12)
_step_type: type | None = None
# Every loop's running task; Python 3.14 keeps it elsewhere, where nobody looks here.
_current_tasks: dict[Any, Any] = getattr(tasks, "_current_tasks", {})


def run_eagerly(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, _T], context: Context, name: str = _NAME
) -> asyncio.Task[_T]:
    """Make a Task of ``coro`` in ``context`` and run it up to its first suspension.

    :arg loop: the asyncio loop that is running in this thread.
    :arg context: used as it is, not copied; it must not be entered already.
    :arg name: the Task's name.
    :returns: the Task. It is done if the coroutine never waited; its exception, if any, is in it.
    :raises SystemExit, KeyboardInterrupt: as the coroutine raised them, like a step that the loop runs.
    """
    try:
        starter: _Starter = loop.__dict__[_STARTER]
    except (KeyError, AttributeError):
        starter = _make_starter(loop)
    shadow = starter.attributes
    # Not get_running_loop(): on Python 3.11 it makes a system call, as dear as all the other checks.
    if starter.is_plain:
        refused = shadow["_task_factory"] is not None or shadow["_thread_id"] is None
    else:
        refused = not starter.usable or loop.get_task_factory() is not None or not loop.is_running()
    if refused:
        return _create_task(loop, coro, context, name)
    if _HAS_EAGER_START:
        make: Any = asyncio.Task
        made: asyncio.Task[_T] = make(coro, loop=loop, name=name, context=context, eager_start=True)
        return made
    if loop in _current_tasks or "call_soon" in shadow or tasks.Task is not _CTask:
        return _create_task(loop, coro, context, name)
    shadow["call_soon"] = starter.receive
    try:
        task: asyncio.Task[_T] = _CTask(coro, loop=loop, name=name, context=context)
    finally:
        del shadow["call_soon"]
    step, _ = starter.steps.pop()
    if step.__self__ is not task or starter.steps:
        starter.steps.append((step, context))
        step = starter.sort_out(task)
    context.run(step)
    return task


def _create_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, _T], context: Context, name: str
) -> asyncio.Task[_T]:
    if loop.get_task_factory() is None:
        return loop.create_task(coro, name=name, context=context)
    # A factory need not know `context=`, which is younger than most of them; the Task gets a copy.
    return context.run(loop.create_task, coro, name=name)


def keep_reference(task: _Held) -> _Held:
    """Hold a Task that is running in the background until it is done, and return it.

    A loop knows its Tasks only weakly. One that waits for something that nobody but itself refers to would
    be collected midway. With the loop it is, so that what never ends does not outlive that.
    """
    if not task.done():
        kept: set[asyncio.Future[Any]] = task.get_loop().__dict__.setdefault("_tornado_kept", set())
        kept.add(task)
        task.add_done_callback(kept.discard)
    return task


class _Starter:
    """What `run_eagerly` knows of one loop; kept in the loop's ``__dict__`` so that it ends with it.

    ``usable`` tells whether the loop's ways of making and scheduling tasks are those we know, and may be
    gone round.
    """

    __slots__ = ("_call_soon", "attributes", "is_plain", "receive", "steps", "usable")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        kind = type(loop)
        self.attributes: dict[str, Any] = getattr(loop, "__dict__", {})
        self.usable = (
            hasattr(loop, "__dict__")
            and "create_task" not in self.attributes
            and _is_known(kind, "call_soon")
            and _is_known(kind, "create_task")
        )
        # asyncio's own loops show in two attributes what they would tell in two calls.
        self.is_plain = (
            self.usable
            and _is_from(kind, "get_task_factory", asyncio.BaseEventLoop)
            and _is_from(kind, "is_running", asyncio.BaseEventLoop)
            and {"_task_factory", "_thread_id"} <= self.attributes.keys()
        )
        # Captured first steps. One Task is made at a time, but a finalizer may make another meanwhile.
        self.steps: list[tuple[Any, Context | None]] = []
        self.receive = self._receive
        self._call_soon = loop.call_soon

    def _receive(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        if type(callback) is _step_type or self._is_step(callback):
            self.steps.append((callback, context))
            return None
        return self._call_soon(callback, *args, context=context)

    def _is_step(self, callback: Callable[..., Any]) -> bool:
        # The C class of a Task's step has no public name: its first instance shows it to us.
        global _step_type
        kind = type(callback)
        if kind.__name__ == "TaskStepMethWrapper" and isinstance(getattr(callback, "__self__", None), _CTask):
            _step_type = kind
            return True
        return False

    def sort_out(self, task: asyncio.Task[Any]) -> Callable[[], Any]:
        """Give the step of ``task`` and let the loop have those of others, in the order they came."""
        steps, self.steps = self.steps, []
        mine: Callable[[], Any] | None = None
        for step, context in steps:
            if step.__self__ is task:
                mine = step
            else:
                self._call_soon(step, context=context)
        assert mine is not None, "a new Task did not schedule its first step"
        return mine


def _make_starter(loop: asyncio.AbstractEventLoop) -> _Starter:
    made = _Starter(loop)
    made.attributes[_STARTER] = made
    return made


def _is_from(kind: type, method: str, owner: type) -> bool:
    return getattr(kind, method, None) is getattr(owner, method)


def _is_known(kind: type, method: str) -> bool:
    """Whether a loop class has ``method`` from asyncio or uvloop, neither overridden nor replaced.

    An agent that follows Tasks, such as New Relic's, puts a wrapper in the method's place in asyncio's own
    class. It may show every attribute of the function that it wraps, so that only its type tells.
    """
    owner = next((each for each in kind.__mro__ if method in vars(each)), object)
    if owner is asyncio.AbstractEventLoop or not _is_from_a_loop(owner.__module__):
        return False
    found = vars(owner)[method]
    if type(found) is FunctionType:
        return _is_from_a_loop(found.__globals__.get("__name__", ""))
    return type(found).__module__ == "builtins" or type(found).__module__.startswith("_cython")


def _is_from_a_loop(module: str) -> bool:
    return module.partition(".")[0] in ("asyncio", "uvloop")


def done_future(loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
    """A Future of ``loop`` that is done with the result None: one for everybody, for what finished at once.

    Awaiting it does not suspend. It cannot be cancelled and its result cannot be changed, so it may be
    shared.
    """
    try:
        found: asyncio.Future[None] = loop.__dict__[_DONE]
    except (KeyError, AttributeError):
        found = loop.create_future()
        found.set_result(None)
        getattr(loop, "__dict__", {})[_DONE] = found
    return found
