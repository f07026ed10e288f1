"""The request identifier in log records, and the most recent records and errors.

A `logging` filter would have to be added to each handler of the program, so the record factory is extended
instead: every record gets an attribute ``request_id``, for formats such as ``"%(request_id)s %(message)s"``.
Outside of requests it is ``-``.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from tornado.web._redaction._redactor import Redactor

__all__ = ["NO_REQUEST", "RecentRecords", "current_id", "extend_records"]

#: The value of ``request_id`` in records outside of requests.
NO_REQUEST = "-"
#: The identifier of the request that is being served in this context.
current_id: ContextVar[str] = ContextVar("tornado request id", default=NO_REQUEST)

_MAX_MESSAGE = 2000
_MAX_TRACEBACK = 20_000
#: The minimum time between two tracebacks of the same error, in seconds. Further occurrences are counted.
_TRACEBACK_INTERVAL = 1.0


class RecentRecords:
    """The log records of recent requests, and the most recent different errors.

    :param max_records: the number of records that are kept.
    :param max_errors: the number of errors that are kept.
    :ivar redactors: functions that return the masking of secrets for an identifier of a request; one for each
        application.
    """

    def __init__(
        self,
        max_records: int = 2000,
        max_errors: int = 50,
    ) -> None:
        self.redactors: list[Callable[[str], Redactor]] = []
        self._records: deque[tuple[str, str, str, float, str]] = deque(maxlen=max_records)
        self._errors: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._max_errors = max_errors
        #: Held while `_errors` is used, because all threads log. A finalizer may log at the same time.
        self._lock = threading.RLock()

    def add(self, request_id: str, record: logging.LogRecord) -> None:
        """Keep a record, if it belongs to a request or contains an exception."""
        error = record.exc_info[1] if record.exc_info else None
        if request_id is NO_REQUEST and error is None:
            return
        try:
            message = record.getMessage()
        except Exception:  # the arguments do not fit the message, which `logging` reports
            message = str(record.msg)
        message = message[:_MAX_MESSAGE]
        if request_id is not NO_REQUEST:
            self._records.append((request_id, record.levelname, record.name, record.created, message))
        if error is not None:
            self._add_error(request_id, record, error, message)

    def _add_error(
        self, request_id: str, record: logging.LogRecord, error: BaseException, message: str
    ) -> None:
        step = error.__traceback__
        while step is not None and step.tb_next is not None:
            step = step.tb_next
        place = None if step is None else (step.tb_frame.f_code.co_filename, step.tb_lineno)
        key = (record.name, type(error), place)
        with self._lock:
            # The most recent error is the last one.
            entry = self._errors.pop(key, None)
            if entry is None:
                entry = dict.fromkeys(("traceback", "message", "request_id", "logger", "type"), "")
                entry.update(count=0, time=0.0)
            entry["count"] += 1
            age = record.created - entry["time"]
            is_due = not 0.0 <= age < _TRACEBACK_INTERVAL
            if is_due:
                entry["time"] = record.created
            self._errors[key] = entry
            if len(self._errors) > self._max_errors:
                del self._errors[next(iter(self._errors))]
        if is_due:
            self._describe(entry, request_id, record, error, message)

    def _describe(
        self,
        entry: dict[str, Any],
        request_id: str,
        record: logging.LogRecord,
        error: BaseException,
        message: str,
    ) -> None:
        lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
        for each in self._masks(request_id):
            lines = each.mask_lines(lines)
            message = each.mask_source(message)
        entry.update(
            traceback="\n".join(lines)[-_MAX_TRACEBACK:],
            message=message,
            request_id=request_id,
            logger=record.name,
            type=type(error).__name__,
        )

    def errors(self) -> list[dict[str, Any]]:
        """Return the recent errors, the latest first: how often and when each occurred, and its traceback,
        in which secrets are masked.
        """
        with self._lock:
            return [dict(entry) for entry in reversed(self._errors.values())]

    def last_records(self, limit: int) -> list[dict[str, Any]]:
        """Return the last log records of requests, the latest last. Secrets are masked.

        :param limit: their maximum number.
        """
        return [
            {
                "request_id": request_id,
                "time": created,
                "level": level,
                "logger": name,
                "message": _masked(message, self._masks(request_id)),
            }
            for request_id, level, name, created, message in self._present_records()[-limit:]
        ]

    def of_request(self, request_id: str) -> list[dict[str, Any]]:
        """Return the log records of one request, in the order of their times. Secrets are masked."""
        found = [record[1:] for record in self._present_records() if record[0] == request_id]
        masks = self._masks(request_id) if found else []
        return [
            {"time": created, "level": level, "logger": name, "message": _masked(message, masks)}
            for level, name, created, message in found
        ]

    def _present_records(self) -> list[tuple[str, str, str, float, str]]:
        while True:
            try:
                return list(self._records)
            except RuntimeError:  # another thread has added a record; this happens only without a GIL
                continue

    def _masks(self, request_id: str) -> list[Redactor]:
        return [redactor(request_id) for redactor in self.redactors] or [Redactor()]


def _masked(text: str, masks: list[Redactor]) -> str:
    for each in masks:
        text = each.mask_source(text)
    return text


class _RecordFactory:
    """A record factory that adds ``request_id``.

    :param previous: the factory that creates the records.
    """

    def __init__(self, previous: Callable[..., logging.LogRecord], recent: RecentRecords) -> None:
        self.previous = previous
        self.recent = recent

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.previous(*args, **kwargs)
        record.request_id = request_id = current_id.get()
        if request_id is not NO_REQUEST or record.exc_info:
            self.recent.add(request_id, record)
        return record


def extend_records() -> RecentRecords:
    """Add ``request_id`` to all log records from now on.

    :returns: the most recent records, which all observed applications of the process share.
    """
    with _extending:
        factory = logging.getLogRecordFactory()
        if not isinstance(factory, _RecordFactory):
            factory = _RecordFactory(factory, RecentRecords())
            logging.setLogRecordFactory(factory)
    return factory.recent


_extending = threading.Lock()
