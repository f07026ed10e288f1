"""Test Bokeh's server: pages, static files, and documents that change over its WebSocket."""

import asyncio
import threading

import pytest
from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.client import pull_session
from bokeh.models import Slider
from bokeh.server.server import Server

from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop


@pytest.fixture(name="server")
def running_server():
    """Run a server with one document in a thread."""
    started, seen, held = threading.Event(), [], {}

    def modify(document):
        slider = Slider(start=0, end=10, value=1, name="slider")
        slider.on_change("value", lambda attribute, old, new: seen.append((old, new)))
        document.add_root(slider)

    def run():
        asyncio.set_event_loop(asyncio.new_event_loop())
        server = Server({"/app": Application(FunctionHandler(modify))}, port=0, address="127.0.0.1")
        server.start()
        held.update(server=server, loop=IOLoop.current(), seen=seen)
        started.set()
        IOLoop.current().start()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(60)
    yield held
    loop = held["loop"]
    loop.add_callback(held["server"].stop)
    loop.add_callback(loop.stop)
    thread.join(60)


def test_page_and_static_files(server):
    async def main():
        http, base = AsyncHTTPClient(), f"http://127.0.0.1:{server['server'].port}"
        page = await http.fetch(f"{base}/app")
        assert b"bokeh" in page.body
        script = await http.fetch(f"{base}/static/js/bokeh.min.js")
        assert len(script.body) > 100_000
        again = await http.fetch(
            f"{base}/static/js/bokeh.min.js",
            headers={"If-None-Match": script.headers["Etag"]},
            raise_error=False,
        )
        assert again.code == 304
        assert (await http.fetch(f"{base}/", follow_redirects=False, raise_error=False)).code in (200, 302)
        assert (await http.fetch(f"{base}/none", raise_error=False)).code == 404

    asyncio.run(main())


def test_document_changes_reach_the_server(server):
    session = pull_session(url=f"http://127.0.0.1:{server['server'].port}/app")
    slider = session.document.select_one({"name": "slider"})
    assert slider.value == 1
    slider.value = 7
    session.force_roundtrip()
    session.close()
    assert server["seen"] == [(1, 7)]
