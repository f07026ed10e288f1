"""A link checker: follows the links of a site and reports the broken ones, with a progress bar.

``python demos/linkcheck/main.py`` checks a small site that the demo serves itself, on a port that the kernel
chooses, and finds two broken links in it. For another site, run ``python demos/board/main.py`` and in another
terminal ``python demos/linkcheck/main.py --url=http://localhost:8888/``. Links to other sites are
checked but not followed; ``--internal`` leaves them out. The exit status is 1 if a link is broken, and 130
after Ctrl-C.
"""

from __future__ import annotations

import asyncio
import sys
from html.parser import HTMLParser
from typing import TextIO
from urllib.parse import urldefrag, urljoin, urlsplit

from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, RetryPolicy
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.options import Error, define, options
from tornado.queues import Queue

define("url", default="", help="the first page; by default the site for --serve", type=str)
define("serve", default=False, help="check a site that this program serves", type=bool)
define("connections", default=8, help="concurrent requests", type=int)
define("timeout", default=20.0, help="seconds for each request", type=float)
define("internal", default=False, help="check the links within the site only", type=bool)

#: The number of bytes at the beginning of a page that are searched for links.
MAX_PAGE = 1024 * 1024
BAR_WIDTH = 30
#: The number of pages of the site for ``--serve``. Each page links to its neighbours.
PAGES = 50
#: The exit status after Ctrl-C: 128 and the number of SIGINT.
INTERRUPTED = 130


class PageHandler(web.RequestHandler):
    """The pages of the site for ``--serve``. The links on the last page are broken."""

    def get(self, number: str) -> None:
        """Write a page."""
        page = int(number or 0)
        if page >= PAGES:
            raise web.HTTPError(404)
        links = [page + 1, page + 2, page // 2]
        self.write("".join(f'<a href="/{link}">{link}</a>\n' for link in links))


def serve_site() -> tuple[HTTPServer, str]:
    """Serve the site for ``--serve``; return the server and the URL of the first page."""
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(web.Application([("/([0-9]*)", PageHandler)], log_function=lambda handler: None))
    server.add_sockets(sockets)
    return server, f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"


class LinkParser(HTMLParser):
    """Collects the targets of links, images, scripts and style sheets."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Store the target of an element."""
        target = dict(attrs).get("href" if tag in ("a", "link", "area") else "src")
        if target:
            self.links.append(target)


class Progress:
    """A progress bar, shown only if the output is a terminal."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._shown = output.isatty()

    def show(self, done: int, found: int, broken: int) -> None:
        """Redraw the bar."""
        if self._shown:
            filled = BAR_WIDTH * done // max(1, found)
            bar = "#" * filled + "-" * (BAR_WIDTH - filled)
            self._output.write(f"\r[{bar}] {done}/{found} links, {broken} broken")
            self._output.flush()

    def clear(self) -> None:
        """Remove the bar."""
        if self._shown:
            self._output.write("\r\x1b[K")
            self._output.flush()


class LinkChecker:
    """One check of a site.

    :ivar broken: the error of each broken link.
    :ivar found_on: the page on which each link was first found.
    """

    def __init__(self, client: AsyncHTTPClient, url: str, progress: Progress) -> None:
        self._client = client
        self._site = urlsplit(url)[:2]
        self._progress = progress
        self._queue: Queue[str] = Queue()
        self.found_on: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self.checked = 0
        self._add(url, "the command line")

    def _is_internal(self, url: str) -> bool:
        return urlsplit(url)[:2] == self._site

    def _add(self, link: str, page: str) -> None:
        url, _ = urldefrag(link)
        if urlsplit(url).scheme not in ("http", "https") or url in self.found_on:
            return
        if self._is_internal(url) or not options.internal:
            self.found_on[url] = page
            self._queue.put_nowait(url)

    async def run(self) -> None:
        """Check links until all have been checked."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(options.connections)]
            await self._queue.join()
            for worker in workers:
                worker.cancel()

    async def _work(self) -> None:
        async for url in self._queue:
            self._progress.show(self.checked, len(self.found_on), len(self.broken))
            try:
                await self._check(url)
            except (HTTPClientError, OSError, ValueError) as error:
                self.broken[url] = str(error)
            finally:
                self.checked += 1
                self._queue.task_done()

    async def _check(self, url: str) -> None:
        parser = LinkParser()
        # The response head shows whether the link works. The body is read only for pages of the site itself.
        request = HTTPRequest(url, request_timeout=options.timeout, follow_redirects=False)
        async with self._client.stream(request, raise_error=False) as response:
            if response.code >= 400:
                raise HTTPClientError(response.code, response.reason)
            if response.code >= 300:
                parser.links.append(response.headers.get("Location", ""))
            elif self._is_internal(url) and response.headers.get("Content-Type", "").startswith("text/html"):
                size = 0
                async for chunk in response:
                    parser.feed(chunk.decode(errors="replace"))
                    size += len(chunk)
                    if size > MAX_PAGE:
                        break
        for link in parser.links:
            try:
                self._add(urljoin(url, link), url)
            except ValueError:
                self.broken[link] = f"malformed URL on {url}"
                self.found_on.setdefault(link, url)


async def main() -> int:
    """Check, report, and return the exit status."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--url=http://localhost:8888/]")
    if options.connections < 1:
        raise Error("--connections must be at least 1")
    AsyncHTTPClient.configure(
        None, max_clients=options.connections, retry=RetryPolicy(max_attempts=2, base_delay=0.1)
    )
    client = AsyncHTTPClient()
    progress = Progress(sys.stderr)
    server = None
    url = options.url
    if options.serve or not url:
        server, url = serve_site()
    if not (options.serve or options.url):
        print(f"checking the demo's own site {url}; --url=... checks another one", file=sys.stderr)
    checker = LinkChecker(client, url, progress)
    interrupted = False
    try:
        await checker.run()
    except asyncio.CancelledError:
        interrupted = True
    finally:
        progress.clear()
        client.close()
        if server is not None:
            server.stop()
            await server.close_all_connections()
    for url, error in sorted(checker.broken.items()):
        print(f"broken: {url} (on {checker.found_on[url]}): {error}")
    print(f"{checker.checked} links checked, {len(checker.broken)} broken")
    if interrupted:
        return INTERRUPTED
    return 1 if checker.broken else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (Error, OSError, ValueError) as error:
        sys.exit(f"linkcheck: {error}")
