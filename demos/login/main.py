"""Login through an OpenID provider, and sessions.

Run it with ``python demos/login/main.py`` and open http://localhost:8888. The demo starts its own provider,
with two users. ``--issuer``, ``--client-id`` and ``--client-secret`` configure another one. The demo needs
PyJWT and oidc-provider-mock: ``pip install -r demos/login/requirements.txt``.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from local_provider import ProviderFailed, running_provider
from pages import ROUTES, UnknownPageHandler

import tornado.web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("issuer", default="", help="URL of an OpenID provider; by default the demo starts one", type=str)
define("client_id", default="login-demo", help="identifier of this program at the provider", type=str)
define("client_secret", default="", help="secret of this program at the provider, if any", type=str)
define("hosts", default="", help="host names of the program besides localhost", multiple=True)
define(
    "sessions",
    default="memory",
    help="keeps sessions: memory, cookie or redis://host:port/0",
    type=str,
)
define("secret", default="", help="key that signs the cookies; by default a new key at each start", type=str)

HERE = Path(__file__).parent


def make_store(name: str) -> tornado.web.SessionStore:
    """Return the session store that ``--sessions`` names.

    :raises Error: for an unknown store.
    """
    if name == "memory":
        return tornado.web.MemorySessionStore()
    if name == "cookie":
        return tornado.web.CookieSessionStore()
    if name.startswith(("redis://", "rediss://")):
        return tornado.web.RedisSessionStore(name)
    raise Error(f"--sessions={name}: expected memory, cookie or redis://host:port/0")


@contextlib.asynccontextmanager
async def lifespan(app: tornado.web.Application) -> AsyncIterator[None]:
    """Start the local provider, if no other one is configured, and stop it after the last request.

    The port is already open, so that a port in use is reported immediately. Early requests wait until the
    provider has started.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(app.settings["session_store"].close)
        if not options.issuer:
            app.settings["openid_connect"]["issuer"] = await stack.enter_async_context(running_provider())
        yield


def make_app(store: tornado.web.SessionStore) -> tornado.web.Application:
    """Return the application for the options of the command line."""
    return tornado.web.Application(
        ROUTES,
        lifespan=lifespan,
        default_handler_class=UnknownPageHandler,
        allowed_hosts=[*tornado.web.LOCAL_HOSTS, *filter(None, options.hosts)],
        openid_connect={
            "issuer": options.issuer,
            "client_id": options.client_id,
            # The local provider accepts any client but requires a secret.
            "client_secret": options.client_secret or ("" if options.issuer else "any"),
        },
        login_url="/login",
        cookie_secret=options.secret or secrets.token_hex(32),
        session_store=store,
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        # The pages have no script, so the policy allows none.
        security_headers={
            "content_security_policy": "default-src 'none'; style-src 'self'; img-src data:;"
            " form-action 'self'; base-uri 'none'",
            "frame_ancestors": "'none'",
        },
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--issuer=https://…]")
    tornado.web.run(make_app(make_store(options.sessions)), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, ProviderFailed, OSError, ValueError) as error:
        sys.exit(f"login: {error}")
