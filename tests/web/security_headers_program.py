"""A server with security headers: a policy with nonces, frames, and cookies with prefixes."""

from __future__ import annotations

import asyncio

from tornado import web
from tornado.options import define, options, parse_command_line

define("port", type=int)

POLICY = "default-src 'none'; script-src 'nonce-{nonce}'; frame-src *; img-src 'self'"
PAGE = """<!doctype html><title>none</title><body>
<script nonce="{nonce}">document.title = "ours"</script>
<script>document.title = "foreign"</script>
<img src="/none.png" alt="" onerror="document.title = 'foreign'">
"""


class Page(web.RequestHandler):
    """A page with its own script and two injected ones."""

    def get(self) -> None:
        self.write(PAGE.format(nonce=self.csp_nonce))


class Frames(web.RequestHandler):
    """A page with a frame that shows a page of this server under the same or another host name."""

    def get(self) -> None:
        self.clear_header("Content-Security-Policy")
        self.write(f'<iframe src="//{self.get_argument("host")}/page" name="inner"></iframe>')


class Cookies(web.RequestHandler):
    """A handler that sets cookies of every kind. On localhost, browsers accept Secure ones without TLS."""

    def get(self) -> None:
        if self.get_argument("clear", False, type=bool):
            self.clear_all_cookies()
            return
        self.set_cookie("__Host-session", "1", secure=True, httponly=True, samesite="Strict")
        self.set_cookie("__Secure-part", "2", secure=True, samesite="None", partitioned=True)
        self.set_cookie("gone", "3")


async def main() -> None:
    routes = [("/page", Page), ("/frames", Frames), ("/cookies", Cookies)]
    settings = {"content_security_policy": POLICY}
    hosts = ["localhost", f"127.0.0.1:{options.port}"]
    application = web.Application(routes, security_headers=settings, allowed_hosts=hosts)
    application.listen(options.port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
