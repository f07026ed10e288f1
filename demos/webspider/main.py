"""A crawler: fetches the pages of a site concurrently, starting from one of them, and lists broken links.

``python demos/webspider/main.py`` crawls a small site that the demo itself serves, on a port chosen by the
kernel, and finds a broken link in it. For another site, run ``python demos/board/main.py`` and in another
terminal ``python demos/webspider/main.py --url=http://localhost:8888/``. The exit status is 1 if a link is
broken, and 130 after Ctrl-C.
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

define("url", default="", help="the first page; by default a site that this program serves", type=str)
define("workers", default=8, help="pages to fetch concurrently", type=int)
define("limit", default=500, help="maximum number of pages", type=int)
define("timeout", default=20.0, help="seconds for each page", type=float)

#: The number of pages of the demo's own site.
PAGES = 20
#: The maximum size of a page in bytes.
MAX_PAGE = 4 * 1024 * 1024
#: The exit status after Ctrl-C: 128 and the number of SIGINT.
INTERRUPTED = 130


class PageHandler(web.RequestHandler):
    """The pages of the demo's own site. The link on the last page is broken."""

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
    """Collects the targets of the links on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Store the target of a link."""
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.links.append(target)


def links_of(response: HTTPResponse) -> list[str]:
    """Return the targets of the links on a page, unresolved."""
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return []
    parser = LinkParser()
    parser.feed(response.body.decode(errors="replace"))
    return parser.links


class Spider:
    """One crawl of a site.

    The queue holds the URLs to be fetched. Workers take URLs from it and add those that they find.
    `Queue.join` returns when all of them have been processed.
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
        """Queue a URL, unless it is known, belongs to another site, or exceeds the limit."""
        parts = urlsplit(url)
        page = parts._replace(path=parts.path or "/", fragment="").geturl()  # one URL for each page
        if parts[:2] == self.site and page not in self.found_on and len(self.found_on) < self.limit:
            self.found_on[page] = found_on
            self.queue.put_nowait(page)

    async def run(self, workers: int) -> None:
        """Crawl until the queue is empty or a worker fails."""
        tasks = [asyncio.create_task(self.work()) for _ in range(workers)]
        await asyncio.wait([self.queue.join(), *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def work(self) -> None:
        """Fetch pages from the queue until cancelled."""
        async for url in self.queue:
            try:
                await self.visit(url)
                self.visited += 1
            finally:
                self.queue.task_done()

    async def visit(self, url: str) -> None:
        """Fetch a page and queue its links."""
        try:
            response = await self.client.fetch(url, request_timeout=options.timeout)
            links = links_of(response)
        except Exception as error:  # an error on one page does not stop the crawl
            self.broken[url] = str(error)
            return
        print(url, flush=True)
        for link in links:
            try:
                self.add(urljoin(response.effective_url, link), found_on=url)
            except ValueError:
                continue  # malformed, such as "http://[oops"


async def main() -> int:
    """Crawl, print a report, and return the exit status."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--url=http://localhost:8888/]")
    if options.workers < 1 or options.limit < 1:
        raise Error("--workers and --limit must be at least 1")
    AsyncHTTPClient.configure(None, max_clients=options.workers, max_body_size=MAX_PAGE)
    start = time.monotonic()
    server, url = None, options.url
    if not url:
        server, url = serve_site()
        print(f"crawling the demo's own site {url}; --url=... crawls another one", file=sys.stderr)
    spider = Spider(url, options.limit)
    interrupted = False
    try:
        await spider.run(options.workers)
    except asyncio.CancelledError:
        interrupted = True  # by Ctrl-C: report the results so far
    finally:
        if server is not None:
            server.stop()
            await server.close_all_connections()
    for url, error in spider.broken.items():
        print(f"broken: {url} (found on {spider.found_on[url]}): {error}")
    seconds = time.monotonic() - start
    print(f"{spider.visited} pages, {len(spider.broken)} broken, in {seconds:.1f} seconds")
    if interrupted:
        print(f"interrupted: at least {len(spider.found_on) - spider.visited} pages were not fetched")
        return INTERRUPTED
    return 1 if spider.broken else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of the output, such as "| head", has exited: discard the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (Error, OSError, ValueError) as error:
        sys.exit(f"webspider: {error}")
