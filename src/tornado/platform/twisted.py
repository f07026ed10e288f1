"""Twisted in the same program: a coroutine may yield a Deferred, and both share one event loop.

It needs the package ``Twisted`` (``pip install 'tornado[twisted]'``). Once this module is imported, generator
coroutines, `tornado.gen.convert_yielded` and all that is built on it (`tornado.gen.multi`,
`tornado.gen.with_timeout`) take a Deferred::

    import tornado.platform.twisted

    @gen.coroutine
    def handle():
        page = yield treq_get("https://example.com/")  # a Deferred

A native coroutine awaits what ``convert_yielded`` makes of it: ``await convert_yielded(deferred)``.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from twisted.internet.defer import Deferred

from tornado._awaitables import convert_yielded
from tornado._export import list_public
from tornado._reexports import reexported
from tornado._tornado4.deprecation import ignored_loop
from tornado.ioloop import IOLoop
from tornado.util import import_object

__all__ = ["install"]


def install(io_loop: IOLoop | None = None) -> None:
    """Make Twisted's reactor run on the asyncio loop of `IOLoop.current`.

    Call it before anything imports ``twisted.internet.reactor``, in the thread whose loop it shall be. Then
    either ``reactor.run()`` or the loop's `.IOLoop.start` runs both; threads (``deferToThread``), signals and
    what waits for the reactor to start need ``reactor.run()``.

    :raises twisted.internet.error.ReactorAlreadyInstalledError: if there is a reactor already.
    """
    # Late: it brings a dozen of Twisted's modules, and most programs want Deferreds only.
    reactors: Any = importlib.import_module("twisted.internet.asyncioreactor")
    if io_loop is not None:
        ignored_loop("install")
    loop: Any = IOLoop.current()
    reactors.install(loop.asyncio_loop)


@convert_yielded.register(Deferred)
def _from_deferred(deferred: Deferred[Any]) -> asyncio.Future[Any]:
    """A Future of the Deferred's result; cancelling the one cancels the other."""
    future: asyncio.Future[Any] = deferred.asFuture(asyncio.get_event_loop())
    return future


#: The names of Tornado 4, imported when they are used.
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
