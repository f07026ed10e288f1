"""The debug page: what a client is told of an exception where the setting ``serve_traceback`` is on.

`_error_response` decides between page and text; `_traceback` and `_request_tables` gather what is shown as
plain values, and `_page` makes HTML of them. `_value_repr` shows values in bounded length, `_redaction` knows
what may not be shown.
"""

from tornado.web._debug._error_response import write_error

__all__ = ["write_error"]
