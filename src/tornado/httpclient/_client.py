"""The clients: AsyncHTTPClient, an interface with implementations, and HTTPClient, which waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, Unpack, cast, overload

from tornado._tornado4.deprecation import deprecated, ignored_loop
from tornado._tornado4.legacy_arguments import loop_first, stack_contexts
from tornado.concurrent import (
    Future,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
)
from tornado.httpclient._request import HTTPRequest, _RequestProxy
from tornado.httpclient._response import HTTPResponse
from tornado.httpclient._stream import ResponseStream
from tornado.ioloop import IOLoop
from tornado.util import Configurable, import_object

if TYPE_CHECKING:
    from tornado.httpclient._options import FetchOptions, HTTPRequestOptions

# Where a loop keeps its clients, by the class that was called. On the loop itself, so that both can be freed
# together.
_CACHE = "_http_clients"
#: Arguments of our implementations beyond upstream's. Where a shared client exists already, upstream ignores
#: all arguments, and programs rely on that. These are not ignored: a proxy would be bypassed.
_OWN_ARGUMENTS = frozenset(
    """
    after_response before_request continue_timeout cookie_jar dns_cache_ttl idle_timeout max_clients_per_host
    max_idle_connections no_proxy proxy retry trust_env
    """.split()
)


class FetchFuture(asyncio.Future[HTTPResponse]):
    """The Future that `AsyncHTTPClient.fetch` returns. Cancelling it abandons the request.

    :ivar abandoned: called without arguments when it is cancelled; None if the implementation cannot tell.
    """

    abandoned: Callable[[], object] | None = None

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the fetch; see `asyncio.Future.cancel`."""
        cancelled = super().cancel(msg)
        abandoned, self.abandoned = self.abandoned, None
        if cancelled and abandoned is not None:
            abandoned()
        return cancelled


class AsyncHTTPClient(Configurable):
    """Fetches without blocking; an instance can work on many requests at once.

    ``AsyncHTTPClient()`` returns the same instance each time it is called on one `.IOLoop`, so that limits
    and connections are shared. Arguments then count for the first call only. A later call that passes another
    value for ``proxy``, ``retry`` or another of Waterspout's own arguments raises `RuntimeError`.

    :param force_instance: make an instance that is not shared. Close it when it is not needed any more.
    :param defaults: values for what requests leave open, by the names of `HTTPRequest`'s arguments.

    Implementations take further arguments. A subclass implements `fetch_impl`.
    """

    _instance_cache: dict[type[Any], AsyncHTTPClient] | None
    #: The arguments that the instance was made with.
    _arguments: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """`AsyncHTTPClient` itself is what `configure` sets."""
        return AsyncHTTPClient

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """`tornado.simple_httpclient.SimpleAsyncHTTPClient`."""
        return cast("type[Configurable]", import_object("tornado.simple_httpclient.SimpleAsyncHTTPClient"))

    @loop_first
    def __new__(cls, force_instance: bool = False, **kwargs: Any) -> AsyncHTTPClient:
        if kwargs.pop("io_loop", None) is not None:
            ignored_loop("AsyncHTTPClient")
        io_loop = IOLoop.current()
        cache: dict[type[Any], AsyncHTTPClient] | None = None
        if not force_instance:
            cache = vars(io_loop).setdefault(_CACHE, {})
            found = cache.get(cls)
            if found is not None:
                if kwargs:
                    _check_shared(found, kwargs)
                return found
        try:
            made = super().__new__(cls, **kwargs)
        except TypeError as error:
            chosen = cls.configured_class() if cls is cls.configurable_base() else cls
            _reraise_naming_nearest(error, chosen.initialize, kwargs)
        made._arguments = kwargs
        # close() must find its own entry, which may stand under the configurable base class.
        made._instance_cache = cache
        if cache is not None:
            cache[cls] = made
        return made

    def initialize(self, defaults: dict[str, Any] | None = None) -> None:
        """Called by the constructor with its arguments; a subclass's own must call this one."""
        self.io_loop: IOLoop = IOLoop.current()
        self.defaults: dict[str, Any] = {**HTTPRequest._DEFAULTS, **(defaults or {})}
        self._closed = False

    def close(self) -> None:
        """Free what the client holds. Needed for instances made with ``force_instance``, allowed for others.

        The next ``AsyncHTTPClient()`` on this loop makes a new instance.
        """
        self._closed = True
        cache, self._instance_cache = self._instance_cache, None
        if cache is not None:
            for called in [called for called, client in cache.items() if client is self]:
                del cache[called]

    @overload
    def fetch(
        self, request: str, raise_error: bool = True, **kwargs: Unpack[FetchOptions]
    ) -> Future[HTTPResponse]: ...
    @overload
    def fetch(self, request: str | HTTPRequest, raise_error: bool = True) -> Future[HTTPResponse]: ...
    def fetch(
        self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any
    ) -> Future[HTTPResponse]:
        """Send a request.

        :param request: an `HTTPRequest`, or a URL: then the keyword arguments are those of `HTTPRequest`.
        :param raise_error: whether a status code other than 2xx is an error. With ``False`` there is a
            response in that case too; what prevents a response (a time-out, a refused connection) is raised
            all the same.
        :param callback: (deprecated, the style of Tornado 4; also in the place of ``raise_error``) called
            with the response, whatever came of the request: ``response.error`` tells.
        :returns: a future of the `HTTPResponse`.
        :raises HTTPClientError: (in the future) for status codes; a subclass of it, with code 599, for
            time-outs and streams that end early.
        :raises RuntimeError: when the client was closed.
        :raises ValueError: when keyword arguments come with an `HTTPRequest`.
        """
        if "callback" in kwargs or callable(raise_error):
            return _fetch_for_callback(self, request, raise_error, **kwargs)
        if self._closed:
            raise RuntimeError(f"fetch() on a closed {type(self).__name__}")
        if not isinstance(request, HTTPRequest):
            request = _make_request(request, kwargs)
        elif kwargs:
            raise ValueError(
                f"fetch() takes {', '.join(sorted(kwargs))} together with a URL only: "
                "set them on the HTTPRequest"
            )
        # A copy, which the implementation may change.
        request.headers = request._given_headers()
        future = FetchFuture()

        def deliver(response: HTTPResponse) -> None:
            future.abandoned = None
            if response.error and (raise_error or not response._error_is_response_code):
                future_set_exception_unless_cancelled(future, response.error)
            else:
                future_set_result_unless_cancelled(future, response)

        classic = stack_contexts()
        if classic is not None:
            classic.wrap_callbacks(request)
        view = cast(HTTPRequest, _RequestProxy(request, self.defaults))
        abandoned = getattr(self.fetch_impl(view, deliver), "cancel", None)
        if not future.done():
            future.abandoned = abandoned
        return future

    @overload
    def stream(
        self, request: str, raise_error: bool = True, **kwargs: Unpack[HTTPRequestOptions]
    ) -> ResponseStream: ...
    @overload
    def stream(self, request: str | HTTPRequest, raise_error: bool = True) -> ResponseStream: ...
    def stream(self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any) -> ResponseStream:
        """Send a request and read the response's body while it arrives.

        ::

            async with client.stream("https://example.com/large", request_timeout=0) as response:
                async for chunk in response:
                    file.write(chunk)

        :param request: an `HTTPRequest`, or a URL: then the keyword arguments are those of `HTTPRequest`. It
            has no ``streaming_callback``.
        :param raise_error: whether a status code other than 2xx is an error.
        :returns: a `ResponseStream`, to be used with ``async with``. Leaving the block early aborts the
            request.

        The ``request_timeout`` counts for the whole body; 0 lifts it.
        """
        if not isinstance(request, HTTPRequest):
            request = _make_request(request, kwargs)
        elif kwargs:
            raise ValueError(
                f"stream() takes {', '.join(sorted(kwargs))} together with a URL only: "
                "set them on the HTTPRequest"
            )
        return ResponseStream(functools.partial(self.fetch, raise_error=False), request, raise_error)

    def fetch_impl(self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]) -> object:
        """Start a request; for implementations to define.

        :param request: a view of the `HTTPRequest` with the defaults filled in.
        :param callback: to be called with the response, once, whatever happens.
        :returns: None, or an object whose ``cancel()`` abandons the request, so that a fetch that is
            cancelled frees its connection at once. The callback need not be called then.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define fetch_impl()")

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Choose the implementation that ``AsyncHTTPClient()`` makes.

        :param impl: a class or its dotted name; ``None`` for the default.
        :param kwargs: arguments for its constructor.

        Instances that exist already stay what they are.
        """
        super().configure(impl, **kwargs)


#: `AsyncHTTPClient.fetch` before anything could wrap it.
OWN_FETCH: Any = AsyncHTTPClient.fetch


def _make_request(url: str, arguments: Mapping[str, Any]) -> HTTPRequest:
    try:
        return HTTPRequest(url, **arguments)
    except TypeError as error:
        _reraise_naming_nearest(error, HTTPRequest.__init__, arguments)


def _reraise_naming_nearest(
    error: TypeError, function: Callable[..., Any], arguments: Mapping[str, Any]
) -> NoReturn:
    """Raise the error of a call. Where an argument is unknown, name the parameter that was probably meant."""
    for name in arguments:
        if f"unexpected keyword argument {name!r}" in str(error):
            import difflib  # late, as a correct program does not need it

            near = difflib.get_close_matches(name, inspect.signature(function).parameters, 1)
            if near:
                raise TypeError(f"{error}: did you mean {near[0]!r}?") from None
    raise error


def _check_shared(client: AsyncHTTPClient, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that the loop's shared client was not made with.

    :raises RuntimeError: for one of `_OWN_ARGUMENTS` with another value.
    """
    if not type(client).initialize.__module__.startswith("tornado."):
        return  # a program's own class, whose arguments may have the same names
    missing = object()
    ignored = [
        name
        for name in sorted(_OWN_ARGUMENTS.intersection(arguments))
        if client._arguments.get(name, missing) != arguments[name]
    ]
    if ignored:
        raise RuntimeError(
            f"{type(client).__name__}({', '.join(f'{name}=...' for name in ignored)}): this event loop has a "
            "shared client already, made with other arguments; force_instance=True makes a separate client"
        )


class HTTPClient:
    """Fetches and waits: for scripts, threads and the interactive prompt.

    Where an event loop runs in this thread, as in a notebook, that loop stands still meanwhile: whatever
    serves others awaits an `AsyncHTTPClient`, and a server in the same loop would never answer.

    :param async_client_class: the implementation; the configured one by default.
    :param kwargs: arguments for it.
    """

    def __init__(self, async_client_class: type[AsyncHTTPClient] | None = None, **kwargs: Any) -> None:
        self._closed = True  # until there is something to close
        self._io_loop = IOLoop(make_current=False)
        factory = AsyncHTTPClient if async_client_class is None else async_client_class

        async def make() -> AsyncHTTPClient:
            return factory(**{"force_instance": True, **kwargs})

        try:
            self._async_client: AsyncHTTPClient = self._run(make)
        except BaseException:
            self._io_loop.close()
            raise
        self._closed = False

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Free what the client holds."""
        if not self._closed:
            self._closed = True
            self._async_client.close()
            self._io_loop.close()

    @overload
    def fetch(
        self, request: str, *, raise_error: bool = True, **kwargs: Unpack[HTTPRequestOptions]
    ) -> HTTPResponse: ...
    @overload
    def fetch(self, request: HTTPRequest | str, *, raise_error: bool = True) -> HTTPResponse: ...
    def fetch(self, request: HTTPRequest | str, **kwargs: Any) -> HTTPResponse:
        """As `AsyncHTTPClient.fetch`, but returns the `HTTPResponse` itself."""
        return cast(HTTPResponse, self._run(functools.partial(self._async_client.fetch, request, **kwargs)))

    def _run(self, function: Callable[[], Any]) -> Any:
        if asyncio._get_running_loop() is None:
            return self._io_loop.run_sync(function)
        # A thread runs one loop at a time: this client's runs in another one, while this one waits for it.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            return thread.submit(contextvars.copy_context().run, self._io_loop.run_sync, function).result()


def _fetch_for_callback(
    client: AsyncHTTPClient,
    request: str | HTTPRequest,
    raise_error: Any,
    callback: Callable[[HTTPResponse], Any] | bool | None = None,
    **kwargs: Any,
) -> Future[HTTPResponse]:
    """`AsyncHTTPClient.fetch` with a callback, by name or in the place that it had in Tornado 4."""
    if callable(raise_error):
        raise_error, callback = True if callback is None else callback, raise_error
    if not callable(callback):
        return client.fetch(request, raise_error, **kwargs)
    deprecated("AsyncHTTPClient.fetch(callback=...)", "await the Future that fetch() returns")
    if not isinstance(request, HTTPRequest):
        request, kwargs = HTTPRequest(request, **kwargs), {}
    whole: HTTPRequest = request
    start = time.time()

    def failed(error: BaseException) -> HTTPResponse:
        return HTTPResponse(whole, 599, error=error, request_time=time.time() - start)

    future = client.fetch(request, raise_error, **kwargs)
    import_object("tornado._tornado4.future_callbacks.report_response")(future, callback, failed)
    return future
