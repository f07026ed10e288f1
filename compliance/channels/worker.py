"""A worker with a `ChannelHandler`: ``python -m compliance.channels.worker BROKER [--address 127.0.0.1]``.

It prints its port. SIGTERM drains it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from typing import Any

from tornado import web
from tornado.channels import ChannelHandler, History, Hub, Identity, NATSBroker, RedisBroker
from tornado.channels import ClientLimits as Limits
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

#: The number of messages that channels keep whose name begins with "short".
SHORT = 20
#: The number of seconds without output after which clients and servers check a connection.
KEEP_ALIVE = 2.0
PATTERN = r"/channels(?:/(.*))?"


def history_of(channel: str) -> History:
    """Return the limits of the history of a channel."""
    return History(count=SHORT if channel.startswith("short") else 100_000)


def broker_of(url: str, ping_interval: float = 0.25, timeout: float = 1.0) -> RedisBroker | NATSBroker:
    """Return the broker at a URL."""
    if url.startswith("nats:"):
        return NATSBroker(url, ping_interval=ping_interval, timeout=timeout)
    return RedisBroker(url, ping_interval=ping_interval, timeout=timeout)


class Rooms(ChannelHandler):
    """A handler that permits everything. A token is the name of the user."""

    client_limits = Limits(rate=200, burst=1000)
    keep_alive = KEEP_ALIVE

    def authenticate(self, token: str | None) -> Identity:
        """See `ChannelHandler.authenticate`."""
        return Identity(token)

    def authorize_publish(self, channel: str) -> bool:
        """See `ChannelHandler.authorize_publish`."""
        return True

    def authorize_presence(self, channel: str) -> bool:
        """See `ChannelHandler.authorize_presence`."""
        return True


async def serve(broker: str, address: str) -> None:
    """Serve until SIGTERM, then drain."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _print_tasks)
    asyncio.get_running_loop().set_exception_handler(report_error)
    async with Hub(broker_of(broker), history=history_of) as hub:
        application = web.Application(
            [(PATTERN, Rooms, {"hub": hub})], websocket_ping_interval=KEEP_ALIVE, log_function=_ignore
        )
        server = HTTPServer(application)
        sockets = bind_sockets(0, address, backlog=1024)
        server.add_sockets(sockets)
        print(sockets[0].getsockname()[1], flush=True)
        await stopping.wait()
        await server.drain(grace=5, retry=100)


def report_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of the event loop, unless it is about a task that nats-py has left behind.

    When a connection is lost, it does not retrieve the exception of the task that sends, and its tasks for
    subscriptions remain if the connection cannot be closed in time.
    """
    task = context.get("task") or context.get("future")
    code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
    if code is None or "/nats/" not in code.co_filename:
        loop.default_exception_handler(context)


def _print_tasks() -> None:
    """Print where each task waits, to explain a problem."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)


def _ignore(handler: web.RequestHandler) -> None:
    """Log no requests."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m compliance.channels.worker")
    parser.add_argument("broker", help="the URL of the broker")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen at")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(options.broker, options.address))


if __name__ == "__main__":
    main()
