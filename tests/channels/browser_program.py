"""The program for `test_browser`, with the option ``--port``, and ``--broker`` for Redis.

``/publish?first=1&count=3`` publishes numbers to the channel ``news``, and ``/cut`` closes all connections.
Browsers may publish to ``news`` and not to ``read``; ``busy`` cannot be subscribed to for the moment. There
are also many channels whose names begin with ``many``.
The token is the name of the user; "invalid" is refused, and "long" expires in 40 days.
With the cookie ``blocked``, WebSockets are refused, as by some proxies; its value "streams" also blocks event
streams.
"""

from __future__ import annotations

import asyncio
import time

from tornado.channels import (
    BrokerUnavailableError,
    ChannelHandler,
    ClientLimits,
    Hub,
    Identity,
    MemoryBroker,
    RedisBroker,
)
from tornado.options import define, options
from tornado.web import Application, HTTPError, RequestHandler

define("port", type=int)
define("broker", default="")

PAGE = """<!doctype html><title>channels</title>
<script type="module">
  import { connect } from "/channels/channels.js";
  window.states = []; window.got = []; window.members = {}; window.ended = [];
  const query = new URLSearchParams(location.search);
  const client = window.client = connect("/channels", { token: query.get("token") || undefined });
  client.addEventListener("state", ({ detail }) => states.push(detail.state + " " + detail.transport));
  window.subscription = client.subscribe("news", {
    join: query.get("name"), watch: true,
    onmessage: message => got.push(message.data), ongap: gap => got.push("gap " + gap.missed),
    onpresence: change => { window.members = change.members; },
  });
  client.subscribe("secret", { onend: code => ended.push(code) });
  subscription.ready.then(() => { window.ready = true; });
</script>"""


class Page(RequestHandler):
    def get(self) -> None:
        self.write(PAGE)


class Channels(ChannelHandler):
    client_limits = ClientLimits(subscriptions=1100, rate=1000, burst=2000)

    def prepare(self) -> None:
        blocked = self.get_cookie("blocked", "")
        if blocked and self.request.headers.get("Upgrade"):
            raise HTTPError(502)
        if blocked == "streams" and b'"stream"' in self.request.body:
            raise HTTPError(502)

    def authenticate(self, token: str | None) -> Identity | None:
        expires_at = time.time() + 40 * 86400 if token == "long" else None
        return None if token == "invalid" else Identity(token, expires_at)

    def authorize_subscribe(self, channel: str) -> bool:
        if channel == "busy":
            raise BrokerUnavailableError("on purpose")
        return channel in ("news", "read") or channel.startswith("many")

    def authorize_publish(self, channel: str) -> bool:
        return channel == "news"

    def authorize_presence(self, channel: str) -> bool:
        return True


class Publish(RequestHandler):
    def initialize(self, hub: Hub) -> None:
        self.hub = hub

    async def get(self) -> None:
        first = self.get_query_argument("first", type=int)
        for number in range(first, first + self.get_query_argument("count", type=int)):
            await self.hub.publish(self.get_query_argument("channel", "news"), number)
        self.write("published")


class Cut(RequestHandler):
    def initialize(self, cut: asyncio.Event) -> None:
        self.cut = cut

    def get(self) -> None:
        self.write("cut")

    def on_finish(self) -> None:
        self.cut.set()


async def main() -> None:
    options.parse_command_line()
    cut = asyncio.Event()
    async with Hub(RedisBroker(options.broker) if options.broker else MemoryBroker()) as hub:
        application = Application(
            [
                ("/", Page),
                (r"/channels(?:/(.*))?", Channels, {"hub": hub}),
                ("/publish", Publish, {"hub": hub}),
                ("/cut", Cut, {"cut": cut}),
            ]
        )
        server = application.listen(options.port, "127.0.0.1")
        while True:
            await cut.wait()
            cut.clear()
            await server.close_all_connections()


asyncio.run(main())
