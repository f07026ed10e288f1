from __future__ import annotations

import logging

import pytest

from tests.support.logs import watched_logs

general = logging.getLogger("tornado.general")


def test_unexpected_warning_is_collected_once(log_watch):
    with watched_logs() as watch:
        general.warning("lost %s", "bytes")
        general.info("nothing to see")
    assert [record.getMessage() for record in watch.stray] == ["lost bytes"]
    assert "lost bytes" in watch.describe()
    log_watch.stray.clear()  # the fixture of this test has collected the record, too


def test_logger_without_propagation_is_watched(log_watch, monkeypatch):
    monkeypatch.setattr(general, "propagate", False)
    with watched_logs() as watch:
        general.error("unheard")
    assert len(watch.stray) == 1
    log_watch.stray.clear()


def test_expected_records_are_not_collected(expect_log):
    with expect_log("tornado", r"^lost \d+$") as expected:
        general.warning("lost %d", 3)
    assert expected.records[0].name == "tornado.general"


def test_missing_expected_record_raises(expect_log):
    with pytest.raises(AssertionError, match="no record of 'tornado.access'"):
        with expect_log("tornado.access", "404"):
            pass
    with expect_log("tornado.access", "404", required=False):
        pass
