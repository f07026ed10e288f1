"""Eagerly and lazily started Tasks, references to background Tasks, and a shared completed Future.

`asyncio.create_task` runs the first line of a coroutine only in the next event loop iteration. This delay
slows down each request whose handler is an ``async def`` function, although most handlers never wait.
`run_eagerly` creates a real Task and runs its first step before it returns:

* Python 3.12 and later support this directly (``eager_start``).
* On Python 3.11 a new C Task passes its first step to ``loop.call_soon``. While the constructor runs, an
  attribute in the loop's ``__dict__`` shadows this method and captures the step, which then runs immediately.
  Any other callback that is scheduled during this time (a finalizer may run at any allocation) is passed on
  to the loop.

In both cases the code of the Task class runs the step, so `asyncio.current_task`, `asyncio.timeout`, task
groups and cancellation work from the first line of the coroutine. `run_eagerly` falls back to ``create_task``
if the loop is not running, a task is already running, a task factory is set, or the loop or Task class is
unknown.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import tasks
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import FunctionType
from typing import Any, TypeVar

from tornado._loop.per_loop import PerLoop

try:
    from _asyncio import Task as _CTask
except ImportError:  # an interpreter without the C accelerator
    _CTask = None  # type: ignore[assignment,misc]

_T = TypeVar("_T")
_AnyTask = TypeVar("_AnyTask", bound="asyncio.Future[Any]")

# A constant name saves asyncio from formatting "Task-123" for each Task.
_NAME = "tornado"
_HAS_EAGER_START = sys.version_info >= (3, 12)
_step_type: type | None = None
# The running task of each loop. Python 3.14 stores it elsewhere; this mapping is not used in that version.
_current_tasks: dict[Any, Any] = getattr(tasks, "_current_tasks", {})


def run_eagerly(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, _T], context: Context, name: str = _NAME
) -> asyncio.Task[_T]:
    """Create a Task of ``coro`` in ``context`` and run it until it first suspends.

    :param loop: the asyncio loop that is running in this thread.
    :param context: the context of the Task. It is not copied, and must not have been entered already.
    :param name: the Task's name.
    :returns: the Task. It is done if the coroutine never waited; its exception, if any, is stored in it.
    :raises SystemExit, KeyboardInterrupt: if the coroutine raises them. Tasks do not store these exceptions.
    """
    try:
        starter: _EagerStarter = loop.__dict__[_STARTER]  # the hot path: `get` would be another call
    except (KeyError, AttributeError):
        starter = _starters.get(loop)
    shadow = starter.attributes
    # get_running_loop() is not called: on Python 3.11 its system call takes as long as all other checks.
    if starter.is_plain:
        unsupported = shadow["_task_factory"] is not None or shadow["_thread_id"] is None
    else:
        unsupported = not starter.usable or loop.get_task_factory() is not None or not loop.is_running()
    if unsupported:
        return _create_task(loop, coro, context, name)
    if _HAS_EAGER_START:
        make: Any = tasks.Task  # programs may have replaced it
        made: asyncio.Task[_T] = make(coro, loop=loop, name=name, context=context, eager_start=True)
        return made
    if loop in _current_tasks or "call_soon" in shadow or tasks.Task is not _CTask:
        return _create_task(loop, coro, context, name)
    shadow["call_soon"] = starter.capture
    try:
        task: asyncio.Task[_T] = _CTask(coro, loop=loop, name=name, context=context)
    finally:
        del shadow["call_soon"]
    step, _ = starter.steps.pop()
    if step.__self__ is not task or starter.steps:
        starter.steps.append((step, context))
        step = starter.take_step(task)
    context.run(step)
    return task


def _create_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, _T], context: Context, name: str
) -> asyncio.Task[_T]:
    if loop.get_task_factory() is None:
        return loop.create_task(coro, name=name, context=context)
    # `context=` is newer than most task factories and may not be supported, so the Task copies the context.
    return context.run(loop.create_task, coro, name=name)


def start_lazily(coro: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """Create a Task whose first step is executed in the next iteration of the running loop.

    This also holds if the task factory of the loop starts Tasks eagerly (`asyncio.eager_task_factory`,
    Python 3.12), for a coroutine that reads or deletes what the caller assigns after this call.
    """
    return asyncio.Task(coro, loop=asyncio.get_running_loop())


def keep_reference(task: _AnyTask) -> _AnyTask:
    """Keep a reference to a background Task until it is done. Return the Task.

    The event loop refers to its Tasks only weakly, so a Task that waits for an object could be
    garbage-collected if only the Task itself refers to that object. The reference is stored on the loop, so
    that a Task that never ends is released together with its loop.
    """
    if not task.done():
        kept = _kept_tasks.get(task.get_loop())
        kept.add(task)
        task.add_done_callback(kept.discard)
    return task


class _EagerStarter:
    """The state of `run_eagerly` for one loop.

    :ivar usable: whether the loop creates and schedules tasks with known methods, which may be bypassed.
    """

    __slots__ = ("_call_soon", "attributes", "capture", "is_plain", "steps", "usable")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        kind = type(loop)
        self.attributes: dict[str, Any] = getattr(loop, "__dict__", {})
        self.usable = (
            hasattr(loop, "__dict__")
            and "create_task" not in self.attributes
            and _is_standard(kind, "call_soon")
            and _is_standard(kind, "create_task")
        )
        # On asyncio's loops, reading these two attributes replaces two method calls.
        self.is_plain = (
            self.usable
            and _is_method_of(kind, "get_task_factory", asyncio.BaseEventLoop)
            and _is_method_of(kind, "is_running", asyncio.BaseEventLoop)
            and {"_task_factory", "_thread_id"} <= self.attributes.keys()
        )
        # The captured first steps of Tasks. Usually there is only one, but a finalizer may create another
        # Task at the same time.
        self.steps: list[tuple[Any, Context | None]] = []
        self.capture = self._capture
        self._call_soon = loop.call_soon

    def _capture(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        if type(callback) is _step_type or self._is_step(callback):
            self.steps.append((callback, context))
            return None
        return self._call_soon(callback, *args, context=context)

    def _is_step(self, callback: Callable[..., Any]) -> bool:
        # The C class of a Task's step has no public name, so it is taken from the first step seen.
        global _step_type
        kind = type(callback)
        if kind.__name__ == "TaskStepMethWrapper" and isinstance(getattr(callback, "__self__", None), _CTask):
            _step_type = kind
            return True
        return False

    def take_step(self, task: asyncio.Task[Any]) -> Callable[[], Any]:
        """Return the step of ``task`` and pass the steps of other Tasks on to the loop, in their order."""
        steps, self.steps = self.steps, []
        own_step: Callable[[], Any] | None = None
        for step, context in steps:
            if step.__self__ is task:
                own_step = step
            else:
                self._call_soon(step, context=context)
        assert own_step is not None, "the new Task did not schedule its first step"
        return own_step


def _is_method_of(kind: type, method: str, owner: type) -> bool:
    return getattr(kind, method, None) is getattr(owner, method)


def _is_standard(kind: type, method: str) -> bool:
    """Whether a loop class has ``method`` from asyncio or uvloop, neither overridden nor replaced.

    Monitoring agents such as New Relic's replace the method in asyncio's class with a wrapper. A wrapper may
    copy every attribute of the wrapped function, so only its type reveals the replacement.
    """
    owner = next((each for each in kind.__mro__ if method in vars(each)), object)
    if owner is asyncio.AbstractEventLoop or not _is_loop_module(owner.__module__):
        return False
    found = vars(owner)[method]
    if type(found) is FunctionType:
        return _is_loop_module(found.__globals__.get("__name__", ""))
    return type(found).__module__ == "builtins" or type(found).__module__.startswith("_cython")


def _is_loop_module(module: str) -> bool:
    return module.partition(".")[0] in ("asyncio", "uvloop")


def done_future(loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
    """Return a Future of ``loop`` that is done with the result None. All callers share one Future per loop.

    Awaiting it does not suspend. It can be shared because it cannot be cancelled and its result cannot be
    changed.
    """
    try:
        found: asyncio.Future[None] = loop.__dict__[_DONE]  # the hot path, as in run_eagerly
    except (KeyError, AttributeError):
        found = _done_futures.get(loop)
    return found


def _make_done_future(loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
    done: asyncio.Future[None] = loop.create_future()
    done.set_result(None)
    return done


_starters = PerLoop("eager starter", _EagerStarter)
_STARTER = _starters.key
_kept_tasks: PerLoop[set[asyncio.Future[Any]]] = PerLoop("kept tasks", lambda loop: set())
_done_futures = PerLoop("done future", _make_done_future)
_DONE = _done_futures.key
