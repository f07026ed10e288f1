"""A program whose pages raise different exceptions, for tests of the debug page in a browser."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tornado import web
from tornado.template import DictLoader

TEMPLATES = {
    "page.html": "<h1>{{ title }}</h1>\n{% include 'table.html' %}\n",
    "table.html": "<table>\n{% for row in rows %}\n{% include 'row.html' %}\n{% end %}\n</table>\n",
    "row.html": "<tr>\n<td>{{ row.amount * price }}</td>\n</tr>\n",
}


class Lookup(web.RequestHandler):
    """A handler that raises an exception with a cause."""

    def get(self) -> None:
        """Raise an exception with a cause."""
        password = "correct horse battery"
        markup = "<script>document.title = 'stolen'</script>"
        try:
            self.find(markup, password)
        except KeyError as error:
            raise RuntimeError(f"no such thing: {markup}") from error

    def find(self, name: str, password: str) -> Any:
        """Raise the cause."""
        return {}[name]


class Page(web.RequestHandler):
    """A handler whose template includes one that includes another, in which an exception is raised."""

    def get(self) -> None:
        """Raise an exception in a template."""
        self.render("page.html", title="Rows", rows=[{"amount": 2}])


async def main(port: int) -> None:
    """Run the server."""
    application = web.Application(
        [web.url("/lookup", Lookup, name="lookup"), ("/page", Page)],
        debug=True,
        autoreload=False,
        cookie_secret="the secret of the cookies",
        template_loader=DictLoader(TEMPLATES),
    )
    application.listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
