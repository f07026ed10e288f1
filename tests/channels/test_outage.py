"""`Outage`: one line at its beginning, one at its end."""

from __future__ import annotations

from tornado.channels._outage import Outage


def test_first_attempt_that_fails_is_not_a_lost_connection(expect_log):
    outage = Outage("Redis at localhost")
    with expect_log(
        "tornado.general", r"^Redis at localhost cannot be reached \(refused\): no messages arrive"
    ):
        assert outage.begin(OSError("refused"))
    assert not outage.begin(OSError("refused"))
    with expect_log(
        "tornado.general", r"^The connection to Redis at localhost is established after 0\.\d s$"
    ):
        outage.end()
    outage.end()


def test_lost_connection_is_restored(expect_log):
    outage = Outage("NATS at localhost")
    outage.end()
    with expect_log("tornado.general", r"NATS at localhost is lost \(TimeoutError\): no messages"):
        assert outage.begin(TimeoutError())
    assert not outage.begin(OSError("refused"))
    with expect_log("tornado.general", r"^The connection to NATS at localhost is restored after 0\.\d s$"):
        outage.end()
