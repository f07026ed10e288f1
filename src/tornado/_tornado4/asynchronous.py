"""``web.asynchronous``: handlers that finish when they say so."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tornado._export import export
from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.stack_contexts import Handling

__all__ = ["asynchronous"]


def asynchronous(method: Callable[..., Any]) -> Callable[..., Any]:
    """Method decorator: the response is not finished when the method returns, but when ``finish()`` (or
    ``render()``, ``redirect()``, …) is called, by a callback for instance.

    ::

        class Proxy(RequestHandler):
            @asynchronous
            def get(self):
                AsyncHTTPClient().fetch(URL, callback=self.on_fetch)

            def on_fetch(self, response):
                self.write(response.body)
                self.finish()

    What a callback raises that was started in the method is the request's error: logged, and answered by an
    error page if nothing was sent. A method that gives an awaitable, as under `gen.coroutine
    <tornado.gen.coroutine>`, is finished after it as without this decorator.

    Deprecated: an ``async def`` method needs no decorator.
    """
    deprecated("web.asynchronous", "write the method as async def, and await instead of passing callbacks")

    @functools.wraps(method)
    def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        def failed(kind: type[BaseException], error: BaseException, trace: Any) -> bool:
            self._handle_request_exception(error)
            return True

        automatic, self._auto_finish = self._auto_finish, False
        with Handling(failed, here=False):
            result = method(self, *args, **kwargs)
        if result is not None:
            self._auto_finish = automatic
        return result

    return start


export(globals(), module="tornado.web")
