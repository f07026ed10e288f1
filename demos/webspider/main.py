"""A spider: fetches a site from one page on, several pages at a time, and tells which links are broken.

``python demos/webspider/main.py`` walks over a small site that the demo serves itself, on a port that the
kernel chooses, and finds a broken link in it. For another site, run ``python demos/board/main.py`` and in
another terminal ``python demos/webspider/main.py --url=http://localhost:8888/``.
Its status is 1 when there was a broken link, and 130 when it was interrupted: then it has not seen all pages.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.options import Error, define, options
from tornado.queues import Queue

define("url", default="", help="the page to begin with; by default a site that this program serves", type=str)
define("workers", default=8, help="pages to fetch at a time", type=int)
define("limit", default=500, help="pages to fetch at most", type=int)
define("timeout", default=20.0, help="seconds for each page", type=float)

#: Pages of the site that this program serves.
PAGES = 20
#: Bytes of a page: nobody knows what a site sends.
MAX_PAGE = 4 * 1024 * 1024
#: The status of a program that Ctrl-C has ended: what the shell gives, 128 and the number of SIGINT.
INTERRUPTED = 130


class PageHandler(web.RequestHandler):
    """The pages of the demo's own site. The link of the last page leads nowhere."""

    def get(self, number: str) -> None:
        """Write a page."""
        page = int(number or 0)
        if page >= PAGES:
            raise web.HTTPError(404)
        self.write("".join(f'<a href="/{link}">{link}</a>\n' for link in (page + 1, page // 2)))


def serve_site() -> tuple[HTTPServer, str]:
    """Serve the demo's own site; return the server and the URL of the first page."""
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(web.Application([("/([0-9]*)", PageHandler)], log_function=lambda handler: None))
    server.add_sockets(sockets)
    return server, f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"


class LinkParser(HTMLParser):
    """Collects what the links of a page point to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link."""
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.links.append(target)


def links_of(response: HTTPResponse) -> list[str]:
    """What a page links to, as it says it."""
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return []
    parser = LinkParser()
    parser.feed(response.body.decode(errors="replace"))
    return parser.links


class Spider:
    """One walk over a site.

    The queue holds the addresses that are still to be fetched. Workers take them from it and put in what they
    find; `Queue.join` tells when every address that was put in has been dealt with.
    """

    def __init__(self, url: str, limit: int) -> None:
        self.client = AsyncHTTPClient()
        self.queue: Queue[str] = Queue()
        self.limit = limit
        self.site = urlsplit(url)[:2]
        self.found_on: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self.visited = 0
        self.add(url, "the command line")

    def add(self, url: str, found_on: str) -> None:
        """Put an address in the queue, unless it is known, of another site, or one too many."""
        parts = urlsplit(url)
        page = parts._replace(path=parts.path or "/", fragment="").geturl()  # one address for each page
        if parts[:2] == self.site and page not in self.found_on and len(self.found_on) < self.limit:
            self.found_on[page] = found_on
            self.queue.put_nowait(page)

    async def run(self, workers: int) -> None:
        """Walk until no address is left, or a worker fails."""
        tasks = [asyncio.create_task(self.work()) for _ in range(workers)]
        await asyncio.wait([self.queue.join(), *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def work(self) -> None:
        """Fetch one page after another, for ever."""
        async for url in self.queue:
            try:
                await self.visit(url)
                self.visited += 1
            finally:
                self.queue.task_done()

    async def visit(self, url: str) -> None:
        """Fetch a page and put its links in the queue."""
        try:
            response = await self.client.fetch(url, request_timeout=options.timeout)
            links = links_of(response)
        except Exception as error:  # whatever is wrong with one page, the walk goes on
            self.broken[url] = str(error)
            return
        print(url, flush=True)
        for link in links:
            try:
                self.add(urljoin(response.effective_url, link), found_on=url)
            except ValueError:
                continue  # "http://[oops" is no address of any site


async def main() -> int:
    """Walk, and report: the status of the program."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--url=http://localhost:8888/]")
    if options.workers < 1 or options.limit < 1:
        raise Error("--workers and --limit are at least 1")
    AsyncHTTPClient.configure(None, max_clients=options.workers, max_body_size=MAX_PAGE)
    start = time.monotonic()
    server, url = None, options.url
    if not url:
        server, url = serve_site()
        print(f"walking over the demo's own site {url}; --url=... names another one", file=sys.stderr)
    spider = Spider(url, options.limit)
    interrupted = False
    try:
        await spider.run(options.workers)
    except asyncio.CancelledError:
        interrupted = True  # by Ctrl-C: what was found so far is told
    finally:
        if server is not None:
            server.stop()
            await server.close_all_connections()
    for url, error in spider.broken.items():
        print(f"broken: {url} (found on {spider.found_on[url]}): {error}")
    seconds = time.monotonic() - start
    print(f"{spider.visited} pages, {len(spider.broken)} broken, in {seconds:.1f} seconds")
    if interrupted:
        print(f"interrupted: {len(spider.found_on) - spider.visited} pages or more were not seen")
        return INTERRUPTED
    return 1 if spider.broken else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # nobody reads on, as with "| head": what is left to print goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (Error, OSError, ValueError) as error:
        sys.exit(f"webspider: {error}")
