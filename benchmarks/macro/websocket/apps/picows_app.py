"""The measured program on picows, with uvloop. picows has no broadcast function and no compression."""

from __future__ import annotations

import picows
import uvloop

import settings

CLIENTS: set[picows.WSTransport] = set()
TEXT = picows.WSMsgType.TEXT


class Echo(picows.WSListener):
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == TEXT:
            transport.send(TEXT, frame.get_payload_as_bytes())


class Feed(picows.WSListener):
    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        CLIENTS.add(transport)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        CLIENTS.discard(transport)


class Loop(picows.WSListener):
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == TEXT:
            data = settings.text(frame.get_payload_as_bytes()).encode()
            for client in CLIENTS:
                client.send(TEXT, data)
            transport.send(TEXT, b"done")


LISTENERS = {"/echo": Echo, "/feed": Feed, "/loop": Loop, "/broadcast": Loop, "/idle": picows.WSListener}


def listener(request: picows.WSUpgradeRequest) -> picows.WSListener:
    return LISTENERS[request.path.decode()]()


async def main() -> None:
    server = await picows.ws_create_server(listener, "127.0.0.1", settings.PORT, backlog=1024)
    await server.serve_forever()


uvloop.run(main())
