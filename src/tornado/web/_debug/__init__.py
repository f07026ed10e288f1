"""The debug page: the response to an uncaught exception if the setting ``serve_traceback`` is enabled.

`_error_response` chooses between HTML, JSON and text. `_traceback` and `_request_tables` collect the data as
plain values, and `_page` renders them as HTML. `_value_repr` formats values in bounded length, and
`web._redaction` masks secrets.
"""

from tornado.web._debug._error_response import write_error

__all__ = ["write_error"]
