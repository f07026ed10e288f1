"""``web.asynchronous``: handlers that call ``finish()`` themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.stack_contexts import UnwarnedExceptionStackContext

__all__ = ["asynchronous"]


def asynchronous(method: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a handler's method so that the response is not finished when the method returns.

    The handler must call ``finish()``, ``render()``, ``redirect()`` or another method that finishes the
    response, for example in a callback::

        class Proxy(RequestHandler):
            @asynchronous
            def get(self):
                AsyncHTTPClient().fetch(URL, callback=self.on_fetch)

            def on_fetch(self, response):
                self.write(response.body)
                self.finish()

    An exception raised by a callback that the method started is handled like an exception of the method: it
    is logged, and the response is an error page unless headers have been sent. If the method returns an
    awaitable, as a method decorated with `gen.coroutine <tornado.gen.coroutine>` does, the response is
    finished when the awaitable completes, as without this decorator.

    Deprecated: an ``async def`` method needs no decorator.
    """
    deprecated("web.asynchronous", "write the method as async def, and await instead of passing callbacks")

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        def handle_error(kind: type[BaseException], error: BaseException, trace: Any) -> bool:
            self._handle_request_exception(error)
            return True

        auto_finish, self._auto_finish = self._auto_finish, False
        with UnwarnedExceptionStackContext(handle_error, handle_block=False):
            result = method(self, *args, **kwargs)
        if result is not None:
            self._auto_finish = auto_finish
        return result

    return wrapper


export(globals(), module="tornado.web")
