"""The default timeout of tests."""

from __future__ import annotations

from tornado import testing


def test_async_test_timeout_environment_variable(monkeypatch, expect_log):
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "0.5")
    assert testing.get_async_test_timeout() == 0.5
    monkeypatch.delenv("ASYNC_TEST_TIMEOUT")
    assert testing.get_async_test_timeout() == 5
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "soon")
    with expect_log("tornado.application", "'soon'"):
        assert testing.get_async_test_timeout() == 5
