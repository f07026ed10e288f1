"""Small versions of the scenarios of compliance/faults, and tests that they detect defects."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from compliance.faults import load, scenarios
from compliance.faults.inject import Faults
from compliance.faults.process import Server, leaks
from compliance.faults.scenarios import SMALL, Outcome, Tls
from tests.support.certificates import Certificates
from tests.support.tools import need

HELD = {"descriptors": 10, "tasks": 1, "connections": 0, "objects": 25_000, "rss": 30_000}


def files_of(tls: Certificates | None) -> Tls | None:
    return tls and Tls(str(tls.certificate_file), str(tls.key_file), tls.client_context)


def test_system_calls_of_the_server_fail(loop_kind, tls):
    outcome = scenarios.calls(SMALL, loop=loop_kind, tls=files_of(tls))
    assert outcome.problems() == []
    assert outcome.faults > 10
    # Each fault broke one connection, so almost every fault made one request fail.
    assert outcome.counts.failures > outcome.faults / 2
    assert "recv" in outcome.after["calls"]
    assert "accept" in outcome.after["calls"]


def test_system_calls_fail_below_the_interpreter(loop_kind):
    need("fiu-run", "fiu-utils")
    outcome = scenarios.fiu(SMALL, loop=loop_kind)
    assert outcome.skipped == ""
    assert outcome.problems() == []
    assert outcome.faults > 10


def test_clients_reset_their_connections_at_every_point(loop_kind, tls):
    outcome = scenarios.vanishing(SMALL, loop=loop_kind, tls=files_of(tls))
    assert outcome.problems() == []


def test_clients_reset_right_after_connecting(loop_kind, tls):
    outcome = scenarios.early(SMALL, loop=loop_kind, tls=files_of(tls))
    assert outcome.problems() == []


def test_silent_peers_that_ask_for_key_updates(loop_kind, certificates):
    outcome = scenarios.updating(SMALL, loop=loop_kind, tls=files_of(certificates), count=4)
    assert outcome.skipped == ""
    assert outcome.problems() == []


def test_cpu_time_of_silent_peers_is_a_problem():
    outcome = Outcome("some", load.Counts(requests=9), 0, HELD, HELD, busy=0.5)
    assert outcome.problems() == ["50.0% of a CPU for silent peers, expected less than 5%"]


def test_system_calls_of_the_client_fail(loop_kind):
    outcome = scenarios.client(SMALL, loop=loop_kind)
    assert outcome.problems() == []
    assert outcome.faults > 10


# -- detection of defects --


@pytest.mark.parametrize(
    ("name", "held"),
    [("descriptors", 11), ("tasks", 2), ("connections", 1), ("objects", 26_000), ("rss", 40_000)],
)
def test_remaining_resources_are_a_leak(name, held):
    assert leaks(HELD, HELD) == []
    assert leaks(HELD, {**HELD, name: held}) == [f"{name}: {HELD[name]} before, {held} after"]


@pytest.mark.parametrize(
    ("counts", "faults", "output", "problem"),
    [
        (load.Counts(requests=9, failures=3), 2, "", "3 requests failed with 2 faults"),
        (load.Counts(requests=9, wrong=1), 2, "", "1 wrong responses"),
        (load.Counts(), 0, "", "no requests were sent"),
        (load.Counts(requests=9), 0, "well\nTask was destroyed", "log: 'Task was destroyed'"),
        (
            load.Counts(requests=9),
            0,
            "Exception in callback BaseSelectorEventLoop._read_from_self()\nException in callback some()",
            "log: 'Exception in callback some()'",
        ),
    ],
)
def test_each_defect_is_a_problem(counts, faults, output, problem):
    outcome = Outcome("some", counts, faults, HELD, HELD, output)
    assert outcome.problems() == [problem]
    outcome.skipped = "no network"
    assert outcome.problems() == []


def test_connection_that_stays_open_is_detected():
    with Server() as server:
        before = server.at_rest()
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as held:
            held.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while (state := server.state())["tasks"] == before["tasks"]:
                pass
            assert [problem.split(":")[0] for problem in leaks(before, state)] == [
                "descriptors",
                "tasks",
                "connections",
            ]
        assert leaks(before, server.at_rest()) == []


def test_server_that_does_not_start_shows_its_output():
    with pytest.raises(RuntimeError, match="no-such-file"), Server(["--certificate=no-such-file", "--key=k"]):
        pass


class FakeSocket:
    """A substitute for a socket."""

    family = socket.AF_INET
    taken = b""

    def call(self, data=b""):
        self.taken = data
        return len(data)


def failing(call, **options):
    """Return a `Faults` object with probability 1, and a method to which it applies."""
    faults = Faults(1.0, [call], seed=1, **options)
    faults.enabled = True
    return faults, faults._failing(call, FakeSocket.call)


@pytest.mark.parametrize("call", ["recv", "send", "accept"])
def test_faults_and_harmless_results_are_counted_separately(call):
    faults, method = failing(call)
    raised = []
    for _ in range(100):
        with pytest.raises(OSError, match="injected") as caught:
            method(FakeSocket())
        raised.append(caught.value.errno)
    assert raised.count(errno.EAGAIN) == faults.harmless.total()
    assert faults.counts == {call: 100 - raised.count(errno.EAGAIN)}
    assert len(set(raised)) > 3
    faults.enabled = False
    assert method(FakeSocket(), b"abc") == 3
    assert faults.counts.total() + faults.harmless.total() == 100


def test_accept_fails_with_exhausted_resources():
    _, method = failing("accept", exhausted=True)
    with pytest.raises(OSError, match="injected") as caught:
        method(FakeSocket())
    assert caught.value.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def test_unix_sockets_and_other_calls_are_not_affected():
    faults, method = failing("recv")
    unix = FakeSocket()
    unix.family = socket.AF_UNIX
    assert method(unix, b"abc") == 3
    assert faults._failing("send", FakeSocket.call)(FakeSocket(), b"abc") == 3
    assert faults.counts.total() == 0


def test_external_errors_are_counted():
    faults = Faults(0.0, [], seed=1)
    errors = [ConnectionResetError(errno.ECONNRESET, ""), BlockingIOError(), ssl.SSLWantReadError()]

    def below(sock):
        raise errors.pop()

    while errors:
        with pytest.raises(OSError):
            faults._failing("recv", below)(FakeSocket())
    assert faults.counts == {"recv": 1}
