"""A program whose pages fail in different ways, to be viewed in a browser."""

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
    """An error with another one as its cause."""

    def get(self) -> None:
        """Fail."""
        password = "correct horse battery"
        markup = "<script>document.title = 'stolen'</script>"
        try:
            self.find(markup, password)
        except KeyError as error:
            raise RuntimeError(f"no such thing: {markup}") from error

    def find(self, name: str, password: str) -> Any:
        """Fail."""
        return {}[name]


class Page(web.RequestHandler):
    """An error in a template that is included by an included one."""

    def get(self) -> None:
        """Fail."""
        self.render("page.html", title="Rows", rows=[{"amount": 2}])


async def main(port: int) -> None:
    """Serve until the process is terminated."""
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
