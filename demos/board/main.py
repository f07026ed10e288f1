"""A message board on SQLite, MariaDB or MySQL, in English and Chinese, that works without JavaScript.

Run it with ``python demos/board/main.py`` and open http://localhost:8888. The messages are stored in the file
``board.sqlite`` or in the database that ``--database`` names, for example
``--database=mysql://user:password@localhost:3306/board``. SQLite needs ``pip install aiosqlite``, MariaDB and
MySQL need ``pip install aiomysql``.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from connections import open_database
from database import Unavailable
from handlers import ROUTES, NowhereHandler
from messages import Board

import tornado.locale
import tornado.web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define(
    "database",
    default="sqlite:///board.sqlite",
    help="sqlite:///path or mysql://user:password@host:port/name",
    type=str,
)
define("timeout", default=5.0, help="seconds to wait for the database", type=float)
define("page", default=10, help="messages on a page", type=int)
define(
    "secret",
    default="",
    help="key that signs the cookies; if it changes, authors cannot edit their earlier messages",
    type=str,
)
define("debug", default=False, help="reload on changes, show tracebacks", type=bool)

HERE = Path(__file__).parent


@contextlib.asynccontextmanager
async def lifespan(app: tornado.web.Application) -> AsyncIterator[None]:
    """Open the database, and close it after the last request."""
    async with open_database(options.database, options.timeout) as database:
        app.settings["board"] = Board(database, options.page)
        yield


def make_app(secret: str, debug: bool = False) -> tornado.web.Application:
    """Return the application. Its handlers find the board in its settings while it is served."""
    return tornado.web.Application(
        ROUTES,
        lifespan=lifespan,
        default_handler_class=NowhereHandler,
        cookie_secret=secret,
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
        # The pages have no scripts, so the policy blocks all of them, including injected ones.
        security_headers={
            "content_security_policy": "default-src 'none'; style-src 'self'; img-src data:;"
            " form-action 'self'; base-uri 'none'",
            "frame_ancestors": "'none'",
        },
        debug=debug,
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--database=…]")
    tornado.locale.load_translations(str(HERE / "translations"))
    tornado.web.run(make_app(options.secret or secrets.token_hex(32), options.debug), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, Unavailable, OSError, ValueError) as error:
        sys.exit(f"board: {error}")
