"""WebSocket servers and clients (RFC 6455).

A server defines handlers and adds them to its routes::

    from tornado import web, websocket

    class Echo(websocket.WebSocketHandler):
        def on_message(self, message):
            self.write_message(message)

    application = web.Application([("/echo", Echo)])

`broadcast` sends one message to many connections::

    websocket.broadcast(clients, "a message for all clients")

A client opens a connection, and writes and reads messages::

    async with websocket.websocket_connect("ws://localhost:8888/echo") as conn:
        await conn.write_message("hello")
        print(await conn.read_message())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado._implicit_reexports import reexported
from tornado._log_rate_limit import de_dupe_gen_log
from tornado._public_module_names import export
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.log import app_log, gen_log
from tornado.util import import_object
from tornado.websocket import _message_counting
from tornado.websocket._broadcast import BroadcastResult, broadcast
from tornado.websocket._compression_options import (
    _DecompressTooLargeError,
    _PerMessageDeflateCompressor,
    _PerMessageDeflateDecompressor,
)
from tornado.websocket._errors import WebSocketClosedError, WebSocketError
from tornado.websocket._handler import WebSocketHandler
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._protocol import WebSocketProtocol13

if TYPE_CHECKING:
    from tornado.websocket._client import WebSocketClientConnection
    from tornado.websocket._connect import websocket_connect

__all__ = [
    "BroadcastResult",
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

#: Names imported on first use, because they import the HTTP client, which a server does not need.
_LATE = {
    "WebSocketClientConnection": "tornado.websocket._client",
    "websocket_connect": "tornado.websocket._connect",
}


if not TYPE_CHECKING:  # a type checker would accept every name as an attribute of this module

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            return reexported(__name__, name)
        return globals().setdefault(name, import_object(f"{_LATE[name]}.{name}"))


export(globals(), module="tornado.websocket", late=_LATE)
