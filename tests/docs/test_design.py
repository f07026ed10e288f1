"""The design documents name files, classes and states that exist."""

from __future__ import annotations

import enum
import re
from importlib import import_module
from pathlib import Path

import pytest

from tornado._wire.state_machine import State

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tornado"
DOCUMENTS = [*sorted((ROOT / "docs" / "design").glob("*.md")), ROOT / "CONTRIBUTING.md"]

#: Packages to which a document refers by file names without a directory.
PACKAGES = {
    "0001-architecture.md": "http1connection",
    "0005-http-client.md": "simple_httpclient",
    "0009-serving.md": "_serve",
    "0010-asgi.md": "asgi",
}

#: The enums whose members the table in 0001-architecture.md lists, by the first column.
STATES = {
    "stream": "iostream._state.StreamState",
    "connection": "http1connection._states.ConnectionState",
    "start of the next request": "http1connection._states.PipelineState",
    "exchange": "http1connection._states.ExchangeState",
    "received message": "http1connection._states.InputState",
    "sent message": "http1connection._states.OutputState",
    "response of a handler": "web._execution._response_state.ResponseState",
    "form of a request": "httputil._lazy_form.FormState",
    "parser": "_wire.h1.ReaderState",
    "chunked body": "_wire.chunked.ChunkPhase",
    "multipart body": "_wire.multipart.MultipartState",
    "WebSocket": "_wire.ws_state.WebSocketState",
    "incoming WebSocket message": "_wire.ws_message.MessagePhase",
    "fetch of the HTTP client": "simple_httpclient._fetch.FetchPhase",
    "connection of the HTTP client": "simple_httpclient._connection.ClientConnectionState",
    "delivery of its input": "simple_httpclient._connection.Delivery",
    "event stream": "web._sse._event_stream.EventStreamState",
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    bases = [ROOT, SOURCE, SOURCE / PACKAGES.get(document.name, ""), ROOT / "tests" / "docs"]
    named = re.findall(r"`([\w/.]+(?:\.py|\.md|/))`", document.read_text())
    assert not [name for name in named if not any((base / name).exists() for base in bases)]


@pytest.mark.parametrize("document", DOCUMENTS[:-1], ids=lambda path: path.name)
def test_named_methods_exist(document: Path) -> None:
    """`Class.method` in a document is a method or an attribute in the file that defines the class."""
    sources = [path.read_text() for path in SOURCE.rglob("*.py")]
    missing = []
    for cls, name in re.findall(r"`([A-Z]\w+)\.(\w+)[`(]", document.read_text()):
        defining = [text for text in sources if re.search(rf"^class {cls}\b", text, re.MULTILINE)]
        if not any(re.search(rf"\b{name}\b", text) for text in defining):
            missing.append(f"{cls}.{name}")
    assert missing == []


def test_listed_states_are_those_of_the_enums() -> None:
    text = (ROOT / "docs" / "design" / "0001-architecture.md").read_text()
    table = text.partition("| object | states | file |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in table.splitlines()[2:]]
    listed = {name: states.split(", ") for name, states, _ in rows}
    expected = {}
    for name, path in STATES.items():
        module, _, attribute = path.rpartition(".")
        kind: type[enum.Enum] = getattr(import_module(f"tornado.{module}"), attribute)
        expected[name] = [state.name for state in kind]
    assert listed == expected


def test_listed_states_use_the_one_mechanism() -> None:
    own = {"response of a handler", "form of a request"}
    for name, path in STATES.items():
        module, _, attribute = path.rpartition(".")
        kind = getattr(import_module(f"tornado.{module}"), attribute)
        assert issubclass(kind, State) is (name not in own), name
        if name not in own:
            assert all(hasattr(state, "to") or hasattr(state, "after") for state in kind), name


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("0001-architecture.md", "http1connection._states.ConnectionState"),
        ("0007-streams.md", "iostream._state.StreamState"),
    ],
)
def test_diagrams_show_possible_transitions(document: str, path: str) -> None:
    module, _, attribute = path.rpartition(".")
    states = import_module(f"tornado.{module}")
    text = (ROOT / "docs" / "design" / document).read_text()
    shown = re.findall(r"^    ([A-Z_]+) --> ([A-Z_]+)", text, re.MULTILINE)
    assert len(shown) >= 6
    for before, after in shown:
        following = states.TRANSITIONS[getattr(states, attribute)[before]]
        names = [state.name for state in (following.values() if isinstance(following, dict) else following)]
        assert after in names, (before, after)
