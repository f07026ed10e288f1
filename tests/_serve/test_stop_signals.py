from __future__ import annotations

import os
import signal
import threading

import pytest

from tornado._serve.stop_signals import StopSignals

BOTH = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def handlers():
    """Set the default handlers, as at the start of a program, and restore those of pytest."""
    previous = [signal.signal(signal.SIGTERM, signal.SIG_DFL)]
    previous.append(signal.signal(signal.SIGINT, signal.default_int_handler))
    yield
    for number, handler in zip(BOTH, previous, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", BOTH)
def test_first_signal_stops_and_the_handlers_are_restored(number):
    calls = []
    with StopSignals(lambda: calls.append("stop"), lambda: calls.append("exit")):
        signal.raise_signal(number)
        assert calls == ["stop"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(("first", "second"), [BOTH, BOTH[::-1]])
def test_second_signal_ends_the_process_at_once(first, second):
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        with StopSignals(lambda: os.write(writer, b"stop "), lambda: os.write(writer, b"exit")):
            signal.raise_signal(first)
            signal.raise_signal(second)
        os._exit(0)
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + second
    with open(reader, "rb") as pipe:
        assert pipe.read() == b"stop exit"


def test_handlers_of_the_program_and_ignored_signals_stay():
    calls = []
    signal.signal(signal.SIGTERM, lambda number, frame: calls.append("own"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopSignals(lambda: calls.append("stop"), lambda: None):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert calls == ["own"]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_change_no_handler():
    def enter():
        with StopSignals(lambda: None, lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    seen = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
