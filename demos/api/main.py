"""A REST API with JSON Web Tokens: the bookmarks of its users, in SQLite.

Run it with ``python demos/api/main.py``; README.md lists the requests to try. The demo needs
PyJWT and aiosqlite: ``pip install -r demos/api/requirements.txt``.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from accounts import Accounts, Sessions
from attempts import AttemptLimit
from bookmarks import Bookmarks
from endpoints import ROUTES
from passwords import PasswordHasher
from resources import Services, UnknownResource
from storage import Storage, open_storage
from tokens import ALGORITHMS, AccessTokens, generate_key, load_key

import tornado.web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("database", default="api.sqlite", help="file of the database, or :memory:", type=str)
define(
    "algorithm",
    default="EdDSA",
    help=f"signature algorithm of the access tokens: {', '.join(ALGORITHMS)}",
    type=str,
)
define(
    "key",
    default="",
    help="file of the private key in PEM, or of the secret for HS256; by default a new key at each start",
    type=str,
)
define("issuer", default="http://localhost:8888", help="iss of the access tokens", type=str)
define("audience", default="bookmarks", help="aud of the access tokens", type=str)
define("access_lifetime", default=300, help="seconds until an access token expires", type=int)
define("password_cost", default=14, help="log2 of scrypt's N, from 10 to 17", type=int)
define("login_attempts", default=5, help="failed logins per minute for a name from an address", type=int)
define(
    "guest_attempts", default=30, help="registrations and failed logins per minute from an address", type=int
)
define("debug", default=False, help="reload on changes", type=bool)


async def make_services(storage: Storage, passwords: PasswordHasher) -> Services:
    """Create the parts that the handlers share, as the command-line options specify."""
    if options.access_lifetime < 1 or options.login_attempts < 1 or options.guest_attempts < 1:
        raise Error("--access-lifetime, --login-attempts and --guest-attempts must be at least 1")
    key = load_key(options.algorithm, Path(options.key)) if options.key else generate_key(options.algorithm)
    sessions = Sessions(storage, options.access_lifetime)
    await sessions.load()
    return Services(
        accounts=Accounts(storage),
        sessions=sessions,
        bookmarks=Bookmarks(storage),
        passwords=passwords,
        tokens=AccessTokens(key, options.issuer, options.audience, options.access_lifetime),
        logins=AttemptLimit(options.login_attempts, 60),
        guests=AttemptLimit(options.guest_attempts, 60),
    )


@contextlib.asynccontextmanager
async def lifespan(app: tornado.web.Application) -> AsyncIterator[None]:
    """Open the database, and close it after the last request."""
    with contextlib.closing(PasswordHasher(options.password_cost)) as passwords:
        async with open_storage(options.database) as storage:
            app.settings["services"] = await make_services(storage, passwords)
            yield


def make_app(debug: bool = False) -> tornado.web.Application:
    """Return the application. Its handlers find the services in its settings while it is served."""
    return tornado.web.Application(
        ROUTES,
        lifespan=lifespan,
        default_handler_class=UnknownResource,
        head_from_get=True,
        debug=debug,
        # Error responses are JSON in debug mode too.
        serve_traceback=False,
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--database=…]")
    tornado.web.run(make_app(options.debug), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError, sqlite3.Error) as error:
        sys.exit(f"api: {error}")
