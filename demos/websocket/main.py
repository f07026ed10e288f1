"""A chat room over WebSockets that lists the people present and loses no messages when a page reconnects.

Run it with ``python demos/websocket/main.py`` and open http://localhost:8888 in two windows. Stop the program
and start it again: the pages reconnect. The messages are stored in the file ``chat.sqlite``, or in the one
that ``--history`` names.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from tornado import escape, web
from tornado.options import Error, define, options
from tornado.websocket import WebSocketHandler, broadcast

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("history", default="chat.sqlite", help="file that keeps the messages", type=str)

HERE = Path(__file__).parent
#: The maximum number of earlier messages sent to a page that connects.
MAX_EARLIER_MESSAGES = 200
MAX_NAME_LENGTH = 30
MAX_TEXT_LENGTH = 2000
Message = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY, key TEXT UNIQUE, at INTEGER, name TEXT, text TEXT
);
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
"""


class History:
    """All messages, in the order of their arrival.

    These queries take microseconds in SQLite, so they run in the event loop. `demos/board` shows how to use a
    slower database.
    """

    def __init__(self, path: str) -> None:
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.row_factory = sqlite3.Row
        self.database.executescript(SCHEMA)

    def add(self, key: str, name: str, text: str) -> Message | None:
        """Append a message and return it, or return None if a message with this key exists."""
        message = {"key": key, "at": time.time_ns() // 1_000_000, "name": name, "text": text}
        added = self.database.execute(
            "INSERT OR IGNORE INTO message (key, at, name, text) VALUES (:key, :at, :name, :text)", message
        )
        return message if added.rowcount else None

    def since(self, key: str) -> tuple[list[Message], bool]:
        """Return the messages after the one with this `key`, and whether the list is complete.

        It is incomplete if the key is unknown or there are too many messages; then it holds the latest ones.
        """
        known = self.database.execute("SELECT number FROM message WHERE key = ?", (key,)).fetchone()
        found = self.database.execute(
            "SELECT key, at, name, text FROM message WHERE number > ? ORDER BY number DESC LIMIT ?",
            (known["number"] if known else 0, MAX_EARLIER_MESSAGES),
        ).fetchall()
        return [dict(row) for row in reversed(found)], known is not None and len(found) < MAX_EARLIER_MESSAGES

    def close(self) -> None:
        """Close the file."""
        self.database.close()


class Room:
    """The connected pages and the history of messages."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.present: set[ChatSocket] = set()
        self.is_update_scheduled = False

    def enter(self, socket: ChatSocket) -> None:
        """Add a connection."""
        self.present.add(socket)
        self.schedule_update()

    def leave(self, socket: ChatSocket) -> None:
        """Remove a connection."""
        self.present.discard(socket)
        self.schedule_update()

    def add_message(self, key: str, name: str, text: str) -> None:
        """Store a message and send it to every page."""
        message = self.history.add(key, name, text)
        if message is not None:
            self.send_all({"messages": [message]})

    def schedule_update(self) -> None:
        """Schedule an update of the list of names. It is sent once even if a thousand pages connect within
        0.1 s.
        """
        if not self.is_update_scheduled:
            self.is_update_scheduled = True
            asyncio.get_running_loop().call_later(0.1, self.send_people)

    def send_people(self) -> None:
        """Send the names of the people present. A name that is used in several windows appears once."""
        self.is_update_scheduled = False
        names = {socket.name for socket in self.present}
        self.send_all({"people": sorted(names, key=str.casefold)})

    def send_all(self, news: dict[str, Any]) -> None:
        """Send a message to every page, encoding it once.

        `broadcast` closes the connection of a page that reads its messages too slowly. The page reconnects,
        as after any other lost connection, and requests the messages that it missed.
        """
        broadcast(self.present, news)


class PageHandler(web.RequestHandler):
    """The page. Its content comes over the WebSocket."""

    def get(self) -> None:
        self.render("index.html", max_name_length=MAX_NAME_LENGTH, max_text_length=MAX_TEXT_LENGTH)


class ChatSocket(WebSocketHandler):
    """The connection of one page: ``/chat?name=Ann&since=KEY``, with the key of the latest message that it
    has.

    `check_origin` refuses pages of other sites.
    """

    def initialize(self, room: Room) -> None:
        self.room = room

    def prepare(self) -> None:
        """Refuse a request without a valid name, before the WebSocket handshake."""
        self.name = " ".join(self.get_query_argument("name", "").split())
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH:
            raise web.HTTPError(400, "name must have 1 to %d characters", MAX_NAME_LENGTH)

    def open(self) -> None:
        # No message can arrive between these two calls, because there is no await between them.
        messages, is_complete = self.room.history.since(self.get_query_argument("since", ""))
        self.write_message({"messages": messages, "reset": not is_complete})
        self.room.enter(self)

    def on_message(self, message: str | bytes) -> None:
        """Receive a message: ``{"key": …, "text": …}``.

        The page generates the key. If the connection breaks before the page receives its message back, it
        sends the message again with the same key.
        """
        try:
            received = escape.json_decode(message)
            key, text = uuid.UUID(received["key"]).hex, str(received["text"]).strip()
        except (ValueError, TypeError, LookupError, AttributeError):
            self.close(1008, "expected an object with 'key' and 'text'")
            return
        if 1 <= len(text) <= MAX_TEXT_LENGTH:
            self.room.add_message(key, self.name, text)
        else:
            self.close(1008, f"text must have 1 to {MAX_TEXT_LENGTH} characters")

    def on_close(self) -> None:
        self.room.leave(self)


def make_app(history: History) -> web.Application:
    """Return the application with one room, for ``main`` and for tests."""
    return web.Application(
        [
            (r"/", PageHandler),
            (r"/chat", ChatSocket, {"room": Room(history)}),
        ],
        # Seconds between pings, which detect clients whose network connection was lost.
        websocket_ping_interval=20,
        websocket_max_message_size=16 * 1024,
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--history=chat.sqlite]")
    with contextlib.closing(History(options.history)) as history:
        web.run(make_app(history), options.port)


if __name__ == "__main__":
    try:
        main()
    except sqlite3.Error as error:
        sys.exit(f"websocket: {options.history}: {error}")
    except (Error, OSError, ValueError) as error:
        sys.exit(f"websocket: {error}")
