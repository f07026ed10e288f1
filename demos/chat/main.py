"""A chat room with long polling: every page keeps one request open, and its response is the next message.

Run it with ``python demos/chat/main.py`` and open http://localhost:8888 in two windows.
"""

from __future__ import annotations

import secrets
import sys
import uuid
from collections import deque
from pathlib import Path

import tornado.escape
import tornado.locks
import tornado.web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("debug", default=False, help="reload on changes, show tracebacks", type=bool)

HERE = Path(__file__).parent
Message = dict[str, str]


class Room:
    """The latest messages, and a condition that is notified of each new one."""

    def __init__(self, size: int = 200) -> None:
        self.messages: deque[Message] = deque(maxlen=size)
        self.changed = tornado.locks.Condition()

    def add(self, message: Message) -> None:
        """Append ``message`` and wake all waiting requests."""
        self.messages.append(message)
        self.changed.notify_all()

    def since(self, last: str | None) -> list[Message]:
        """Return the messages after the one whose id is ``last``, or all messages if that id is unknown."""
        news: deque[Message] = deque()
        for message in reversed(self.messages):
            if message["id"] == last:
                break
            news.appendleft(message)
        return list(news)


class ChatHandler(tornado.web.RequestHandler):
    """The base class of the handlers, with the room of the application."""

    max_body_size = 8192

    @property
    def room(self) -> Room:
        room: Room = self.settings["room"]
        return room


class PageHandler(ChatHandler):
    """The page, with the latest messages."""

    def get(self) -> None:
        self.render("index.html", messages=self.room.messages)


class SpeakHandler(ChatHandler):
    """Receives a message. A page without scripts also sends ``next``, and is redirected to itself."""

    def post(self) -> None:
        message = {"id": str(uuid.uuid4()), "body": self.get_argument("body")}
        if not message["body"]:
            raise tornado.web.HTTPError(400, "the message is empty")
        # The template escapes the text; browsers insert this HTML as it is.
        html = self.render_string("message.html", message=message)
        message["html"] = tornado.escape.to_unicode(html)
        if self.get_argument("next", None) is not None:
            self.redirect("/")
        else:
            self.write(message)
        self.room.add(message)


class ListenHandler(ChatHandler):
    """Responds as soon as there are messages newer than the one in ``cursor``."""

    # Without this setting, the handler of a closed page would wait until the next message.
    cancel_on_disconnect = True

    async def post(self) -> None:
        cursor = self.get_argument("cursor", None)
        while not (news := self.room.since(cursor)):
            await self.room.changed.wait()
        self.write({"messages": news})


def make_app(debug: bool = False) -> tornado.web.Application:
    """Return the application with an empty room."""
    return tornado.web.Application(
        [
            (r"/", PageHandler),
            (r"/a/message/new", SpeakHandler),
            (r"/a/message/updates", ListenHandler),
        ],
        room=Room(),
        cookie_secret=secrets.token_hex(32),
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        xsrf_cookies=True,
        debug=debug,
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--debug]")
    tornado.web.run(make_app(options.debug), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, ValueError) as error:
        sys.exit(f"chat: {error}")
