"""Every fuzz target runs on its seeds and on some mutations of them."""

from __future__ import annotations

import functools
import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.codings import require

FUZZ = Path(__file__).parent.parent / "fuzz"
TARGETS = sorted(path.stem for path in FUZZ.glob("*.py"))
WIRE = FUZZ.parent / "src/tornado/_wire"
#: Percent-decoding, whose module is not in `WIRE` because `tornado.escape` also uses it.
PERCENT = WIRE.parent / "_percent_decoding.py"
#: Each module that parses external data, and the fuzz targets that exercise it.
PARSERS = {
    "quality_values": {"accept", "codings"},
    "charsets": {"charsets"},
    "chunked": {"chunked", "h1"},
    "content_negotiation": {"codings"},
    "content_decoders": {"content_decoders"},
    "cookies": {"cookies"},
    "bearer": {"credentials"},
    "challenges": {"digest"},
    "dates": {"dates"},
    "digest": {"digest"},
    "sse": {"events"},
    "header_validation": {"h1", "heads"},
    "urlencoded": {"urlencoded"},
    "h1": {"h1", "h1_client", "differential_requests", "differential_responses"},
    "headers": {"headers"},
    "heads": {"heads", "h1"},
    "field_line_cache": {"heads"},
    "multipart": {"multipart"},
    "field_parameters": {"parameters"},
    "_percent_decoding": {"percent", "urlencoded"},
    "ranges": {"ranges"},
    "start_line": {"startline", "h1_client"},
    "ws_connection": {"websocket"},
    "ws_deflate": {"websocket", "websocket_handshake"},
    "ws_extensions": {"websocket_handshake"},
    "ws_frames": {"websocket"},
    "ws_handshake": {"websocket_handshake"},
    "ws_message": {"websocket"},
    "ws_short_frames": {"websocket"},
}
#: The modules that parse nothing: constants, exceptions, values and serializers.
OTHERS = {
    "__init__",
    "errors",
    "limits",
    "multipart_writer",
    "ws_errors",
    "ws_events",
    "ws_shared_message",
    "state_machine",
    "ws_state",
}
#: The packages with which the differential targets compare.
PEERS = ("h11", "httptools")


@functools.cache
def target(name: str) -> Callable[[bytes], None]:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    test: Callable[[bytes], None] = module.TestOneInput
    return test


def test_each_target_has_a_corpus_and_vice_versa() -> None:
    assert sorted(path.name for path in (FUZZ / "corpus").iterdir()) == TARGETS


def test_each_parser_has_a_target() -> None:
    assert set(PARSERS) - {PERCENT.stem} | OTHERS == {path.stem for path in WIRE.glob("*.py")}
    assert set().union(*PARSERS.values()) <= set(TARGETS)


def executed_files(name: str) -> set[str]:
    """Return the files of all functions that a target calls on its seeds."""
    run, found = runnable(name), set()
    seeds = [seed.read_bytes() for seed in sorted((FUZZ / "corpus" / name).iterdir())]
    sys.setprofile(lambda frame, event, argument: found.add(frame.f_code.co_filename))
    try:
        for seed in seeds:
            run(seed)
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("name", sorted(set().union(*PARSERS.values())))
def test_target_executes_its_parsers(name: str) -> None:
    files = {Path(file) for file in executed_files(name)}
    modules = {module for module, targets in PARSERS.items() if name in targets}
    assert files >= {PERCENT if module == PERCENT.stem else WIRE / f"{module}.py" for module in modules}


def runnable(name: str) -> Callable[[bytes], None]:
    """Return the target; skip the test if its requirements are not installed."""
    for package in PEERS if name.startswith("differential_") else ():
        require(f"the package {package}", importlib.util.find_spec(package) is not None)
    return target(name)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_target_with_arbitrary_bytes(name: str, data: bytes) -> None:
    runnable(name)(data)


@pytest.mark.parametrize("name", TARGETS)
def test_target_with_its_corpus(name: str) -> None:
    run = runnable(name)
    chance = random.Random(name)
    run(b"")
    for seed in sorted((FUZZ / "corpus" / name).iterdir()):
        data = seed.read_bytes()
        run(data)
        for _ in range(100):
            changed = bytearray(data[: chance.randint(1, len(data))])
            changed[chance.randrange(len(changed))] = chance.choice(b'\0\r\n :;=%&"\\-09aZ\x80\xff')
            run(bytes(changed))
