"""The programs of the notes that use the HTTP client, the event loop, queues, threads and streams.

External addresses are replaced with a server of the seeds.
"""

from __future__ import annotations

import json
import re
import socket

import pytest

from tests.seeds.conftest import run


@pytest.fixture
def nowhere() -> str:
    """An address on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_await_fetch(start, nowhere):
    target = start("hello.py")
    assert run("fetch_await.py", target.url()) == "Hello, world\n"
    assert run("fetch_await.py", target.url("/none")) == "Error: HTTP 404: Not Found\n"
    assert "refused" in run("fetch_await.py", nowhere)


def test_request_with_parameters(start):
    shown = json.loads(run("fetch_params.py", start("request_attributes.py").url("/get")))
    assert shown["arguments"] == {"type": ["1"], "page": ["二"]}
    assert shown["headers"]["X-Note"] == "seed"


def test_callbacks(start, nowhere):
    target = start("hello.py")
    output = run("fetch_callback.py", target.url(), target.url("/none"), nowhere)
    assert "b'Hello, world'\n" in output
    assert "Error: HTTP 404: Not Found\n" in output
    assert re.search("Error: .*refused", output)
    assert (
        "DeprecationWarning: AsyncHTTPClient.fetch(callback=...) is in the deprecated style of Tornado 4; "
        "await" in output
    )


def test_blocking(start, nowhere):
    target = start("hello.py")
    output = run("fetch_blocking.py", target.url(), target.url("/none"), nowhere)
    assert output.splitlines() == [
        "Hello, world",
        "Error: HTTP 404: Not Found 404",
        "Error: ConnectionRefusedError",
    ]


def test_event_loop_methods():
    lines = [line for line in run("loop_methods.py").splitlines() if "Warning" not in line and line[0] != " "]
    assert lines == [
        "default AsyncIOLoop",
        "none yet None",
        "current True",
        "cleared False",
        "again True",
        "result 42",
        "result in the loop 42",
        "stopped True",
        "closed True",
    ]


def test_queue_with_producer_and_consumer():
    lines = run("producer_consumer.py").splitlines()
    assert [line for line in lines if line.startswith("put")] == [f"put {item}" for item in range(5)]
    work = [f"doing work on {item}" for item in range(5)]
    assert [line for line in lines if line.startswith("doing")] == work
    # The queue has a capacity of two, so the producer waits for the consumer.
    assert lines.index("doing work on 0") < lines.index("put 3")
    assert lines[-1] == "done"


def test_threads():
    assert run("threads.py").splitlines() == ["meanwhile True", "in the main thread False", "from a thread"]


def test_tcp_protocol():
    assert run("line_protocol.py").splitlines() == ["['ONE', 'TWO', 'THREE']", "ticked"]
