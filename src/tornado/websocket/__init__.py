"""WebSockets (RFC 6455), on servers and as a client.

A server has handlers for them among its routes::

    from tornado import web, websocket

    class Echo(websocket.WebSocketHandler):
        def on_message(self, message):
            self.write_message(message)

    application = web.Application([("/echo", Echo)])

What many are to get goes to all of them at once::

    websocket.broadcast(clients, "a message for everybody")

A client connects and reads::

    async with websocket.websocket_connect("ws://localhost:8888/echo") as conn:
        await conn.write_message("hello")
        print(await conn.read_message())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado._export import export
from tornado._reexports import reexported
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.log import app_log, gen_log
from tornado.util import import_object
from tornado.websocket._broadcast import Broadcast, broadcast
from tornado.websocket._deflate import (
    _DecompressTooLargeError,
    _PerMessageDeflateCompressor,
    _PerMessageDeflateDecompressor,
)
from tornado.websocket._errors import WebSocketClosedError, WebSocketError
from tornado.websocket._handler import WebSocketHandler
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._log_once import de_dupe_gen_log
from tornado.websocket._protocol import WebSocketProtocol13

if TYPE_CHECKING:
    from tornado.websocket._client import WebSocketClientConnection
    from tornado.websocket._connect import websocket_connect

__all__ = [
    "Broadcast",
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketHandler",
    "WebSocketProtocol",
    "WebSocketProtocol13",
    "broadcast",
    "de_dupe_gen_log",
    "websocket_connect",
]

#: What servers do not need, with an HTTP client behind it: imported when it is used.
_LATE = {
    "WebSocketClientConnection": "tornado.websocket._client",
    "websocket_connect": "tornado.websocket._connect",
}


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            return reexported(__name__, name)
        return globals().setdefault(name, import_object(f"{_LATE[name]}.{name}"))


export(globals(), module="tornado.websocket", late=_LATE)
