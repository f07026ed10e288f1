"""Integration with Twisted: coroutines can yield a Deferred, and Twisted can use the loop of asyncio.

It needs the package ``Twisted`` (the extra ``twisted``). Once this module has been imported,
generator coroutines, `tornado.gen.convert_yielded` and the functions based on it (`tornado.gen.multi`,
`tornado.gen.with_timeout`) accept a Deferred::

    import tornado.platform.twisted

    @gen.coroutine
    def handle():
        page = yield treq_get("https://example.com/")  # a Deferred

A native coroutine converts the Deferred first: ``await convert_yielded(deferred)``.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from twisted.internet.defer import Deferred

from tornado._implicit_reexports import reexported
from tornado._public_module_names import list_public
from tornado._tornado4.deprecation import ignored_loop
from tornado._yielded_values import convert_yielded
from tornado.ioloop import IOLoop
from tornado.util import import_object

__all__ = ["install"]


def install(io_loop: IOLoop | None = None) -> None:
    """Install a Twisted reactor that runs on the asyncio loop of `IOLoop.current`.

    Call this before any import of ``twisted.internet.reactor``, in the thread of the loop. Afterwards both
    ``reactor.run()`` and the loop's `.IOLoop.start` run Twisted and asyncio together. Threads
    (``deferToThread``), signals and functions that run at the reactor's start need ``reactor.run()``.

    :raises twisted.internet.error.ReactorAlreadyInstalledError: if a reactor is already installed.
    """
    # This is imported here, because it loads a dozen modules of Twisted, and most programs need only
    # Deferreds.
    reactors: Any = importlib.import_module("twisted.internet.asyncioreactor")
    if io_loop is not None:
        ignored_loop("install")
    loop: Any = IOLoop.current()
    reactors.install(loop.asyncio_loop)


@convert_yielded.register(Deferred)
def _from_deferred(deferred: Deferred[Any]) -> asyncio.Future[Any]:
    """Return a Future of the Deferred's result. Cancelling the Future cancels the Deferred."""
    future: asyncio.Future[Any] = deferred.asFuture(asyncio.get_event_loop())
    return future


#: Names of the Tornado 4 API, which are imported on first use.
_CLASSIC = {
    "TornadoReactor": "tornado._tornado4.twisted_reactors",
    "TwistedIOLoop": "tornado._tornado4.twisted_reactors",
    "TwistedResolver": "tornado._tornado4.twisted_resolver",
    "_TestReactor": "tornado._tornado4.twisted_reactors",
}


def __getattr__(name: str) -> Any:
    if name in _CLASSIC:
        return getattr(import_object(_CLASSIC[name]), name)
    return reexported(__name__, name)


list_public(globals())
