"""The clients: `AsyncHTTPClient`, which has several implementations, and `HTTPClient`, which blocks."""

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
from tornado._tornado4.legacy_arguments import drop_io_loop, stack_contexts
from tornado.concurrent import (
    Future,
    future_set_result_unless_cancelled,
)
from tornado.httpclient._request import HTTPRequest, _RequestProxy, default_settings, original_headers
from tornado.httpclient._response import HTTPResponse, is_status_error
from tornado.httpclient._stream import ResponseStream
from tornado.ioloop import IOLoop
from tornado.util import Configurable, import_object

if TYPE_CHECKING:
    from tornado.httpclient._options import FetchOptions, HTTPRequestOptions

# The name of the IOLoop attribute that maps each client class to the loop's shared instance. The cache is an
# attribute of the loop so that the loop and its clients are freed together.
_CACHE_ATTRIBUTE = "_http_clients"
#: Arguments of Waterspout's implementations that upstream does not have. If a shared client exists, upstream
#: ignores all arguments, and programs rely on that. Ignoring the arguments in this list is not safe: for
#: example, a ``proxy`` would be bypassed.
_OWN_ARGUMENTS = frozenset(
    """
    after_response before_request continue_timeout cookie_jar dns_cache_ttl idle_timeout max_clients_per_host
    max_idle_connections no_proxy proxy retry trust_env
    """.split()
)


class FetchFuture(asyncio.Future[HTTPResponse]):
    """The Future that `AsyncHTTPClient.fetch` returns. Cancelling it aborts the request.

    :ivar on_cancel: called without arguments when the Future is cancelled; None if the implementation does
        not support cancellation.
    """

    on_cancel: Callable[[], object] | None = None

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the fetch; see `asyncio.Future.cancel`."""
        cancelled = super().cancel(msg)
        on_cancel, self.on_cancel = self.on_cancel, None
        if cancelled and on_cancel is not None:
            on_cancel()
        return cancelled


class AsyncHTTPClient(Configurable):
    """A non-blocking HTTP client. One instance can send many requests concurrently.

    ``AsyncHTTPClient()`` returns the same instance each time it is called on the same `.IOLoop`, so limits
    and connections are shared. Arguments therefore apply to the first call only. A later call with a
    different value for ``proxy``, ``retry`` or another argument added by Waterspout raises `RuntimeError`.

    :param force_instance: create an instance that is not shared. The caller must close it.
    :param defaults: default values for `HTTPRequest` arguments, by name.

    Implementations take further arguments. A subclass implements `fetch_impl`.
    """

    _instance_cache: dict[type[Any], AsyncHTTPClient] | None
    _has_fetched = False
    #: The arguments that the instance was created with.
    _arguments: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """Return `AsyncHTTPClient`."""
        return AsyncHTTPClient

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """Return `tornado.simple_httpclient.SimpleAsyncHTTPClient`."""
        return cast("type[Configurable]", import_object("tornado.simple_httpclient.SimpleAsyncHTTPClient"))

    @drop_io_loop
    def __new__(cls, force_instance: bool = False, **kwargs: Any) -> AsyncHTTPClient:
        if kwargs.pop("io_loop", None) is not None:
            ignored_loop("AsyncHTTPClient")
        io_loop = IOLoop.current()
        cache: dict[type[Any], AsyncHTTPClient] | None = None
        if not force_instance:
            cache = vars(io_loop).setdefault(_CACHE_ATTRIBUTE, {})
            found = cache.get(cls)
            if found is not None:
                if kwargs:
                    _check_shared(found, kwargs)
                return found
        try:
            instance = super().__new__(cls, **kwargs)
        except TypeError as error:
            implementation = cls.configured_class() if cls is cls.configurable_base() else cls
            _reraise_with_suggestion(error, implementation.initialize, kwargs)
        instance._arguments = kwargs
        # close() removes the instance's cache entry, whose key may be the configurable base class.
        instance._instance_cache = cache
        if cache is not None:
            cache[cls] = instance
        return instance

    def initialize(self, defaults: dict[str, Any] | None = None) -> None:
        """Initialize the instance; the constructor calls this with its arguments.

        An overriding method must call this one.
        """
        self.io_loop: IOLoop = IOLoop.current()
        self.defaults: dict[str, Any] = {**default_settings(), **(defaults or {})}
        self._closed = False

    def _use_running_loop(self) -> None:
        """Move the client to the running loop. Programs often create it before any loop runs.

        :raises RuntimeError: if the client has been used on another loop that still runs, or that has
            requests in progress.
        """
        previous = self.io_loop.asyncio_loop
        if self._has_fetched and (previous.is_running() or (self._is_busy() and not previous.is_closed())):
            raise RuntimeError(
                f"this {type(self).__name__} has been used on another event loop; create one for each loop, "
                "for example by AsyncHTTPClient() in a coroutine"
            )
        old_cache, self._instance_cache = self._instance_cache, None
        self.io_loop = IOLoop.current()
        if old_cache is not None:
            new_cache = vars(self.io_loop).setdefault(_CACHE_ATTRIBUTE, {})
            for called in [called for called, client in old_cache.items() if client is self]:
                del old_cache[called]
                new_cache.setdefault(called, self)
            self._instance_cache = new_cache
        self._loop_changed()

    def _is_busy(self) -> bool:
        """Whether requests are in progress."""
        return False

    def _loop_changed(self) -> None:
        """Replace what belongs to the previous loop, on which nothing is in progress any more."""

    def close(self) -> None:
        """Release the client's resources.

        Instances created with ``force_instance`` must be closed; closing shared ones is optional. After a
        shared instance is closed, the next ``AsyncHTTPClient()`` on this loop creates a new one.
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

        :param request: an `HTTPRequest`, or a URL with the keyword arguments of `HTTPRequest`.
        :param raise_error: whether a status code other than 2xx raises an error. With ``False`` the response
            is returned instead; an error that prevents a response, such as a timeout or a refused
            connection, is raised in both cases.
        :param callback: called with the response after success and failure; ``response.error`` is the error,
            if any. Deprecated: the style of Tornado 4. It is also accepted in place of ``raise_error``.
        :returns: a Future of the `HTTPResponse`.
        :raises HTTPClientError: (in the Future) for a status code other than 2xx. Timeouts and connections
            that end early raise a subclass with code 599.
        :raises RuntimeError: if the client is closed.
        :raises ValueError: if keyword arguments are passed together with an `HTTPRequest`.
        """
        if "callback" in kwargs or callable(raise_error):
            return _fetch_for_callback(self, request, raise_error, **kwargs)
        if self._closed:
            raise RuntimeError(f"fetch() called on a closed {type(self).__name__}")
        running = asyncio._get_running_loop()
        if running is not None and running is not self.io_loop.asyncio_loop:
            self._use_running_loop()
        self._has_fetched = True
        if not isinstance(request, HTTPRequest):
            request = _make_request(request, kwargs)
        elif kwargs:
            raise ValueError(
                f"fetch() accepts {', '.join(sorted(kwargs))} only together with a URL: "
                "set them on the HTTPRequest"
            )
        # A copy, because the implementation may change the headers.
        request.headers = original_headers(request)
        future = FetchFuture()

        def deliver(response: HTTPResponse) -> None:
            future.on_cancel = None
            if response.error and (raise_error or not is_status_error(response)):
                if not future.cancelled():  # the failure of a cancelled request is not reported
                    future.set_exception(response.error)
            else:
                future_set_result_unless_cancelled(future, response)

        classic = stack_contexts()
        if classic is not None:
            classic.wrap_callbacks(request)
        view = cast(HTTPRequest, _RequestProxy(request, self.defaults))
        on_cancel = getattr(self.fetch_impl(view, deliver), "cancel", None)
        if not future.done():
            future.on_cancel = on_cancel
        return future

    @overload
    def stream(
        self, request: str, raise_error: bool = True, **kwargs: Unpack[HTTPRequestOptions]
    ) -> ResponseStream: ...
    @overload
    def stream(self, request: str | HTTPRequest, raise_error: bool = True) -> ResponseStream: ...
    def stream(self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any) -> ResponseStream:
        """Send a request and read the body of the response as it arrives.

        ::

            async with client.stream("https://example.com/large", request_timeout=0) as response:
                async for chunk in response:
                    file.write(chunk)

        :param request: an `HTTPRequest`, or a URL with the keyword arguments of `HTTPRequest`. A
            ``streaming_callback`` is not allowed.
        :param raise_error: whether a status code other than 2xx raises an error.
        :returns: a `ResponseStream`, which must be used with ``async with``. Leaving the block early aborts
            the request.

        The ``request_timeout`` includes the transfer of the whole body; 0 means no limit.
        """
        if not isinstance(request, HTTPRequest):
            request = _make_request(request, kwargs)
        elif kwargs:
            raise ValueError(
                f"stream() accepts {', '.join(sorted(kwargs))} only together with a URL: "
                "set them on the HTTPRequest"
            )
        return ResponseStream(functools.partial(self.fetch, raise_error=False), request, raise_error)

    def fetch_impl(self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]) -> object:
        """Start a request. Implementations must override this method.

        :param request: a view of the `HTTPRequest` with the defaults filled in.
        :param callback: must be called exactly once with the response, after success and failure.
        :returns: None, or an object whose ``cancel()`` aborts the request and releases its connection
            immediately. After ``cancel()`` the callback need not be called.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define fetch_impl()")

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Choose the implementation that ``AsyncHTTPClient()`` creates.

        :param impl: a class or its dotted name; ``None`` for the default.
        :param kwargs: arguments for its constructor.

        Existing instances are not affected.
        """
        super().configure(impl, **kwargs)


#: The original `AsyncHTTPClient.fetch`, to detect whether a program has wrapped it.
ORIGINAL_FETCH: Any = AsyncHTTPClient.fetch


def _make_request(url: str, arguments: Mapping[str, Any]) -> HTTPRequest:
    try:
        return HTTPRequest(url, **arguments)
    except TypeError as error:
        _reraise_with_suggestion(error, HTTPRequest.__init__, arguments)


def _reraise_with_suggestion(
    error: TypeError, function: Callable[..., Any], arguments: Mapping[str, Any]
) -> NoReturn:
    """Raise ``error``, with the name of the closest parameter if it reports an unknown keyword argument."""
    for name in arguments:
        if f"unexpected keyword argument {name!r}" in str(error):
            import difflib  # imported here, because only programs with a misspelt argument need it

            near = difflib.get_close_matches(name, inspect.signature(function).parameters, 1)
            if near and "Did you mean" not in str(error):  # Python 3.13 suggests a name itself
                raise TypeError(f"{error}: did you mean {near[0]!r}?") from None
    raise error


def _check_shared(client: AsyncHTTPClient, arguments: Mapping[str, Any]) -> None:
    """Reject arguments that differ from those of the loop's shared client.

    :raises RuntimeError: if one of `_OWN_ARGUMENTS` has a different value.
    """
    if not type(client).initialize.__module__.startswith("tornado."):
        return  # a program's own class, whose arguments may use the same names differently
    missing = object()
    ignored = [
        name
        for name in sorted(_OWN_ARGUMENTS.intersection(arguments))
        if client._arguments.get(name, missing) != arguments[name]
    ]
    if ignored:
        raise RuntimeError(
            f"{type(client).__name__}({', '.join(f'{name}=...' for name in ignored)}): this event loop "
            "already has a shared client with other arguments: pass force_instance=True for a separate client"
        )


class HTTPClient:
    """A blocking HTTP client for scripts, threads and the interactive prompt.

    If an event loop is running in this thread, as in a notebook, `fetch` blocks that loop. A server must
    await an `AsyncHTTPClient` instead. A request to a server on the blocked loop would never be answered.

    :param async_client_class: the implementation; the configured one by default.
    :param kwargs: arguments for its constructor.
    """

    def __init__(self, async_client_class: type[AsyncHTTPClient] | None = None, **kwargs: Any) -> None:
        self._closed = True  # close() must do nothing if the client cannot be created
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
        """Release the client's resources."""
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
        """Send a request and return the `HTTPResponse`; see `AsyncHTTPClient.fetch`."""
        return cast(HTTPResponse, self._run(functools.partial(self._async_client.fetch, request, **kwargs)))

    def _run(self, function: Callable[[], Any]) -> Any:
        if asyncio._get_running_loop() is None:
            return self._io_loop.run_sync(function)
        # This thread already runs a loop, and can run only one, so this client's loop runs in another thread.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            return thread.submit(contextvars.copy_context().run, self._io_loop.run_sync, function).result()


def _fetch_for_callback(
    client: AsyncHTTPClient,
    request: str | HTTPRequest,
    raise_error: Any,
    callback: Callable[[HTTPResponse], Any] | bool | None = None,
    **kwargs: Any,
) -> Future[HTTPResponse]:
    """Call `AsyncHTTPClient.fetch` with a callback, passed by name or as the second positional argument."""
    if callable(raise_error):
        raise_error, callback = True if callback is None else callback, raise_error
    if not callable(callback):
        return client.fetch(request, raise_error, **kwargs)
    deprecated("AsyncHTTPClient.fetch(callback=...)", "await the Future that fetch() returns")
    if not isinstance(request, HTTPRequest):
        request, kwargs = HTTPRequest(request, **kwargs), {}
    final_request: HTTPRequest = request
    start = time.time()

    def failed(error: BaseException) -> HTTPResponse:
        return HTTPResponse(final_request, 599, error=error, request_time=time.time() - start)

    future = client.fetch(request, raise_error, **kwargs)
    import_object("tornado._tornado4.future_callbacks.pass_response")(future, callback, failed)
    return future
