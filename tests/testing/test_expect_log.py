"""Expected log records."""

from __future__ import annotations

import logging
import warnings

import pytest

from tornado.testing import ExpectLog


@pytest.fixture
def log():
    found = logging.getLogger("tornado.application")
    level = found.level
    yield found
    assert found.level == level
    assert found.filters == []


def test_an_expected_record_is_not_shown(log):
    for logger in (log, "tornado.application"):
        with ExpectLog(logger, "it .* happened") as expected:
            log.warning("it really %s", "happened")
        assert expected.matched
        assert not expected.logged_stack


def test_logged_stack_is_set_for_traceback(log):
    with ExpectLog(log, "failed") as expected:
        log.error("failed", exc_info=ValueError())
    assert expected.logged_stack


def test_missing_record_raises(log):
    with pytest.raises(Exception, match="did not get expected log message"), ExpectLog(log, "never"):
        pass
    with ExpectLog(log, "never", required=False) as expected:
        pass
    assert not expected.matched
    with pytest.raises(KeyError), ExpectLog(log, "never"):
        raise KeyError


def test_other_records_are_shown(log, expect_log):
    with expect_log("tornado.application", "other"), ExpectLog(log, "expected", required=False):
        log.warning("other")


def test_expected_level_is_enabled(log):
    with ExpectLog(log, "quiet", level=logging.DEBUG):
        log.debug("quiet")


def test_unexpected_level_is_not_accepted(log, expect_log):
    with expect_log("tornado.application", "unexpected level|^quiet"):
        with pytest.raises(Exception, match="did not get"), ExpectLog(log, "quiet", level=logging.INFO):
            log.warning("quiet")


def test_info_record_without_level_is_deprecated(log):
    log.setLevel(logging.INFO)
    with pytest.warns(DeprecationWarning, match=r"level=logging\.INFO"), ExpectLog(log, "quiet"):
        log.info("quiet")
    log.setLevel(logging.NOTSET)
    with warnings.catch_warnings(), ExpectLog(log, "loud"):
        log.error("loud")
