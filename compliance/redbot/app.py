"""A sample application with all kinds of responses."""

from __future__ import annotations

from pathlib import Path

from tornado import web

TEXT = "All kinds of responses, said again and again. " * 200


class Page(web.RequestHandler):
    """A page that is compressed if the client accepts a content coding."""

    def get(self) -> None:
        """Send the page."""
        self.write(f"<!DOCTYPE html><title>Page</title><p>{TEXT}")

    head = get


class Typed(web.RequestHandler):
    """A handler that responds with JSON, plain text or bytes, with caching directives."""

    def get(self, kind: str) -> None:
        """Send the type of content that the path names."""
        self.set_header("Cache-Control", "max-age=60")
        if kind == "json":
            self.write({"text": TEXT})
        elif kind == "text":
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.write("é" * 3000)
        else:
            self.set_header("Content-Type", "application/octet-stream")
            self.write(bytes(range(256)) * 10)


class Streamed(web.RequestHandler):
    """A handler that responds with a body in pieces, whose length is not known in advance."""

    async def get(self) -> None:
        """Send four pieces."""
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        for _ in range(4):
            self.write(TEXT)
            await self.flush()


class Empty(web.RequestHandler):
    """A response without content, or with empty content."""

    def get(self) -> None:
        """Respond with 204, or 200 with an empty body."""
        if self.request.path.endswith("204"):
            self.set_status(204)

    def delete(self) -> None:
        """Respond with an empty body."""
        self.set_status(204)


class Error(web.RequestHandler):
    """An error page."""

    def get(self, code: str) -> None:
        """Raise an error with this status."""
        raise web.HTTPError(int(code))


class Cookie(web.RequestHandler):
    """A page that sets three kinds of cookies."""

    def get(self) -> None:
        """Set the cookies."""
        self.set_cookie("a", "b")
        self.set_cookie("c", "d e".replace(" ", ";"), expires_days=30, httponly=True, samesite="Lax")
        self.set_cookie("__Host-f", "g", secure=True, samesite="None")
        self.write("set")


class Slashful(web.RequestHandler):
    """A handler that redirects to the path with a trailing slash."""

    @web.addslash
    def get(self) -> None:
        """Send the page with the trailing slash."""
        self.write("here")


def make_application(folder: Path) -> web.Application:
    """Return the application, after writing its static files to the folder."""
    (folder / "plain.txt").write_text(TEXT)
    (folder / "small.css").write_text("p { color: red }\n" * 12)
    (folder / "data.bin").write_bytes(bytes(range(256)) * 1000)
    (folder / "index.html").write_text(f"<!DOCTYPE html><title>Index</title><p>{TEXT}")
    static = {"path": str(folder), "default_filename": "index.html"}
    return web.Application(
        [
            ("/page", Page),
            ("/typed/(json|text|bytes)", Typed),
            ("/streamed", Streamed),
            ("/empty/(?:200|204)", Empty),
            ("/error/([0-9]+)", Error),
            ("/cookies", Cookie),
            ("/slash/?", Slashful),
            ("/moved", web.RedirectHandler, {"url": "/page"}),
            ("/found", web.RedirectHandler, {"url": "/page", "permanent": False}),
            ("/static/(.*)", web.StaticFileHandler, static),
        ],
        compress_response=True,
    )
