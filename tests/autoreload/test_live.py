"""A program is edited while it serves requests: no request is lost and no connection is refused."""

from __future__ import annotations

import os
import re
import signal
import threading

import pytest

from tests.support.live import TIMEOUT, LiveReloadProgram

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="sockets are inherited on Unix")

WRAPPED = ("-m", "tornado.autoreload")


def need_watchfiles() -> None:
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        reason = "watchfiles is absent; pip install '.[reload]'"
        if os.environ.get("CI"):
            pytest.fail(f"this test may not be skipped here: {reason}", pytrace=False)
        pytest.skip(reason)


class SlowRequest(threading.Thread):
    """A request that does not finish before `end` is called."""

    def __init__(self, live: LiveReloadProgram) -> None:
        super().__init__()
        self.live = live
        self.answer = ""
        self.error: OSError | None = None
        self.start()
        self.gate, _ = live.gate.accept()

    def run(self) -> None:
        try:
            self.answer = self.live.get("/slow")
        except OSError as error:
            self.error = error

    def end(self) -> str:
        self.gate.close()
        self.join(TIMEOUT)
        return self.answer


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        pytest.param(("-O", "-X", "utf8"), {}, id="one process, by polling"),
        pytest.param((), {"polling": False}, id="one process, by notices"),
        pytest.param(WRAPPED, {}, id="one process, wrapped"),
        pytest.param((), {"modern": True}, id="one process, asyncio.run"),
        pytest.param((), {"processes": 3}, id="three processes"),
        pytest.param((), {"processes": 3, "late": True}, id="three processes, each with its own import"),
        pytest.param(WRAPPED, {"processes": 3}, id="three processes, wrapped"),
    ],
)
def test_valid_change_then_errors_then_valid_change(tmp_path, arguments, options):
    if not options.get("polling", True):
        need_watchfiles()
    with LiveReloadProgram(tmp_path, *arguments, **options) as live:
        several = options.get("processes", 1) > 1
        who = "parent" if several else "pid"
        assert live.wait_for_answer("good 1")[who] == live.process.pid
        slow = SlowRequest(live)

        live.save("TEXT = 'good 2'")
        place = live.wait_for_output("restarting")
        assert slow.end() == "good 1"
        assert live.wait_for_answer("good 2")[who] == live.process.pid
        live.wait_for_start(2)  # otherwise the next change would make this start fail

        live.save("TEXT = = 'bad'")
        place = live.wait_for_output("invalid syntax", place)
        assert {each["text"] for each in live.wait_for_answers(5)} == {"good 2"}
        assert_error_page_shows_the_error(live)

        slow = SlowRequest(live)
        live.save("import no_such_module")
        place = live.wait_for_output("restarting", place)
        assert slow.end() == "good 2"
        place = live.wait_for_output("No module named 'no_such_module'", place)

        live.save("TEXT = 'good 3'")
        assert live.wait_for_answer("good 3")[who] == live.process.pid
        later = live.wait_for_answers(20)
        assert {each["text"] for each in later} == {"good 3"}
        assert {each[who] for each in later} == {live.process.pid}
        assert live.errors == []
        starts = re.findall("flags (.*)\n", live.output())
        assert set(starts) == {f"{int('-O' in arguments)} {[*arguments, 'app.py']}"}
        if several:
            earlier = {each["pid"] for each in live.answers if each["text"] != "good 3"}
            assert not earlier & {each["pid"] for each in later}


def test_error_saved_during_draining_cancels_the_restart(tmp_path):
    """A restart that has begun is cancelled."""
    with LiveReloadProgram(tmp_path) as live:
        live.wait_for_answer("good 1")
        slow = SlowRequest(live)
        live.save("TEXT = 'good 2'")
        place = live.wait_for_output("restarting")
        live.save("TEXT = = 'bad'")
        assert slow.end() == "good 1"
        live.wait_for_output("invalid syntax", place)
        assert {each["text"] for each in live.wait_for_answers(5)} == {"good 1"}
        live.save("TEXT = 'good 3'")
        assert live.wait_for_answer("good 3")["pid"] == live.process.pid
        assert live.errors == []


def test_interrupt_after_a_failed_start_exits_quietly(tmp_path):
    """The program reports that it waits, although logging is not set up, and exits without further output."""
    with LiveReloadProgram(tmp_path) as live:
        live.wait_for_answer("good 1")
        live.end_probe()
        live.save("import no_such_module")
        place = live.wait_for_output("waiting for a change of the source\n")
        live.process.send_signal(signal.SIGINT)
        assert live.process.wait(TIMEOUT) == 1
        live.wait_for_end()
        assert live.output()[place:] == ""


@pytest.mark.parametrize("processes", [1, 3])
def test_request_that_does_not_finish_is_closed_by_the_restart(tmp_path, processes):
    with LiveReloadProgram(tmp_path, processes=processes, drain_time=0.05) as live:
        live.wait_for_answer("good 1")
        slow = SlowRequest(live)
        live.save("TEXT = 'good 2'")
        live.wait_for_output("1 connections are still being served")
        live.wait_for_answer("good 2")
        slow.end()
        assert isinstance(slow.error, ConnectionError)
        assert live.errors == []


def assert_error_page_shows_the_error(live: LiveReloadProgram) -> None:
    """Check that the error page shows the syntax error. Each process detects it, at different times."""
    for _ in range(1000):
        page = live.get("/failing", Accept="text/html")
        assert "on purpose" in page
        if "greeting.py" in page and "invalid syntax" in page:
            return
    raise AssertionError("the error page does not show the syntax error")
