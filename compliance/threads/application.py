"""The application that the event loops of all threads serve: one object, with everything that it shares."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from tornado import ioloop, template, web, websocket
from tornado.web._observation._snapshot import take_snapshot

__all__ = ["LARGE", "SMALL", "make_application", "page", "static_content", "text_of", "write_files"]

#: The static files: one that is sent in one step, and one that is hashed in a thread and sent in parts.
SMALL, LARGE = "small.txt", "large.bin"
_TEMPLATE = (
    "<ul>{% for each in range(number) %}<li>{{ each }} &amp; {{ name }}</li>{% end %}</ul>"
    "{{ reverse_url('text', number) }}"
)


def text_of(number: int) -> str:
    """Return the body of ``/text/NUMBER``."""
    return f"text {number} " * (number % 50 + 1)


def page(number: int, name: str) -> str:
    """Return the page that the template produces."""
    items = "".join(f"<li>{each} &amp; {name}</li>" for each in range(number))
    return f"<ul>{items}</ul>/text/{number}"


def static_content(name: str) -> bytes:
    """Return the content of a static file."""
    return b"small file\n" * 20 if name == SMALL else bytes(range(256)) * 2000


def write_files(folder: Path) -> None:
    """Write the static files, as old ones: the entity tag of a file that may still be changing is weak."""
    for name in (SMALL, LARGE):
        (folder / name).write_bytes(static_content(name))
        os.utime(folder / name, (1_000_000_000.5, 1_000_000_000.5))


class _Text(web.RequestHandler):
    def get(self, number: str) -> None:
        self.write(text_of(int(number)))


class _Json(web.RequestHandler):
    async def post(self) -> None:
        value: dict[str, Any] = json.loads(self.request.body)
        self.write({"value": value, "id": self.request.id})


class _Page(web.RequestHandler):
    def get(self, number: str, name: str) -> None:
        self.render("page.html", number=int(number), name=name)


class _Executor(web.RequestHandler):
    async def get(self, number: str) -> None:
        loop = ioloop.IOLoop.current()
        text, thread = await loop.run_in_executor(None, lambda: (text_of(int(number)), threading.get_ident()))
        self.write({"text": text, "in_other_thread": thread != threading.get_ident()})


class _Visits(web.RequestHandler):
    def get(self) -> None:
        visits = self.session["visits"] = self.session.get("visits", 0) + 1
        signed = self.get_signed_cookie("signed")
        self.set_signed_cookie("signed", str(visits))
        self.write({"visits": visits, "signed": int(signed or b"0")})


class _Snapshot(web.RequestHandler):
    def get(self) -> None:
        assert self.application.observer is not None
        self.write(take_snapshot(self.application.observer))


class _Echo(websocket.WebSocketHandler):
    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


def make_application(folder: Path, access_log: Path) -> web.Application:
    """Return the application, whose metrics, access log, sessions and caches all threads share.

    :param folder: the folder of the static files.
    :param access_log: the file of the access log.
    """
    return web.Application(
        [
            (r"/text/(\d+)", _Text, {}, "text"),
            ("/json", _Json),
            (r"/page/(\d+)/(\w+)", _Page),
            (r"/executor/(\d+)", _Executor),
            ("/visits", _Visits),
            ("/snapshot", _Snapshot),
            ("/echo", _Echo),
            (r"/static/(.*)", web.StaticFileHandler, {"path": str(folder)}),
        ],
        template_loader=template.DictLoader({"page.html": _TEMPLATE}),
        session_store=web.MemorySessionStore(),
        cookie_secret="not a secret, for this test only",
        compress_response=True,
        metrics=True,
        request_id=True,
        access_log="json",
        access_log_file=str(access_log),
    )
