"""The debug page: what a client is told of an exception where the setting ``serve_traceback`` is on.

`_answer` decides between page and text; `_frames` and `_request` gather what is shown as plain values, and
`_page` makes HTML of them. `_values` shows values in bounded length, `_secrets` knows what may not be shown.
"""

from tornado.web._debug._answer import write_error

__all__ = ["write_error"]
