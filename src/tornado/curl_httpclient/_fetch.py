"""`Fetch`: one fetch of the curl client, with its hops for redirects and retries."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from io import BytesIO
from typing import cast

import pycurl

from tornado.curl_httpclient._errors import NO_RESPONSE, CurlError
from tornado.curl_httpclient._interface import CurlClient
from tornado.curl_httpclient._multi import Multi
from tornado.curl_httpclient._transfer import Transfer
from tornado.curl_httpclient._upload import Upload
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse, TransferProgress
from tornado.httpclient._cookies import store_cookies
from tornado.httpclient._hooks import BeforeRequest
from tornado.httpclient._request import _RequestProxy
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient._redirect import (
    REDIRECT_CODES,
    check_downgrade,
    defaults_for_other_origin,
    is_same_origin,
    redirected_request,
)

_Callback = Callable[[HTTPResponse], None]

#: The names in `HTTPResponse.time_info`, with libcurl's constants for them.
_TIMES = {
    "namelookup": pycurl.NAMELOOKUP_TIME,
    "connect": pycurl.CONNECT_TIME,
    "appconnect": pycurl.APPCONNECT_TIME,
    "pretransfer": pycurl.PRETRANSFER_TIME,
    "starttransfer": pycurl.STARTTRANSFER_TIME,
    "total": pycurl.TOTAL_TIME,
    "redirect": pycurl.REDIRECT_TIME,
}


#: Connection errors after which a request may be sent again if no response was received.
_CONNECTION_ERRORS = frozenset(
    [
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
    ]
)


class Fetch:
    """One fetch.

    :param client: the client, for its settings.
    :param request: the request, with the client's defaults filled in.
    :param callback: called exactly once with the response, or never if the fetch is cancelled.
    :param multi: runs the transfers.
    :param create: creates a handle.
    :param set_up: sets the options of a handle for a request, except those for its body.
    :param ended: called when the fetch has ended, before `callback`.

    A libcurl handle is used for one hop only, so options of one request cannot affect another. The
    connections belong to the client's multi handle.
    """

    def __init__(
        self,
        client: CurlClient,
        request: HTTPRequest,
        callback: _Callback,
        *,
        multi: Multi,
        create: Callable[[], pycurl.Curl],
        set_up: Callable[[pycurl.Curl, HTTPRequest, BytesIO, HTTPHeaders], None],
        ended: Callable[[Fetch], None],
    ) -> None:
        self._client = client
        self._multi = multi
        self._create = create
        self._set_up = set_up
        self._ended = ended
        self._loop: asyncio.AbstractEventLoop = client.io_loop.asyncio_loop
        #: The request that the program made, before redirects.
        self._original = cast(HTTPRequest, getattr(request, "request", request))
        #: The request of the current hop, with the client's defaults.
        self._request = request
        self._defaults = client.defaults
        self._callback: _Callback | None = callback
        self._context = contextvars.copy_context()
        self._curl: pycurl.Curl | None = None
        self._transfer: Transfer | None = None
        self._upload: Upload | None = None
        self._outcome: tuple[int, str] = (0, "")
        self._hops = 0
        self._queued = time.time()
        self._started = self._queued
        self._hop_started = self._queued
        self._progress = (0, 0)
        self._attempts = 1
        #: The delay in seconds before the current hop is sent again, by status code; None for no retry.
        self._delays: dict[int, float | None] = {}
        self._timer: object | None = None
        #: The Task that awaits ``before_request``.
        self._preparing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        phase = "done" if self._callback is None else "queued" if self._curl is None else "under way"
        return f"<{type(self).__name__} {self._original.method} {self._original.url} {phase}>"

    # -- called by the client

    def start(self) -> None:
        """Begin the first hop."""
        self._started = time.time()
        self._prepare_hop()

    def transfer_ended(self, code: int, message: str) -> None:
        """Process the end of the current hop's transfer in libcurl."""
        self._outcome = code, message
        if self._transfer is not None:
            self._transfer.end(failed=code != 0)

    def cancel(self) -> None:
        """Abort the request and close its connection immediately."""
        if self._callback is not None:
            self._callback = None
            self._release()
            self._ended(self)

    def fail(self, error: BaseException) -> None:
        """End the fetch with an error."""
        self._report(error=error)

    # -- one hop

    def _prepare_hop(self) -> None:
        hook = self._client.before_request
        try:
            if hook is None:
                self._begin_hop(self._request)
            else:
                self._call_hook(hook)
        except Exception as error:
            self._report(error=error)

    def _call_hook(self, hook: BeforeRequest) -> None:
        """Call ``before_request`` with a copy of the hop's request, and begin the hop with that copy."""
        changed = copy.copy(cast(HTTPRequest, getattr(self._request, "request", self._request)))
        changed.headers = HTTPHeaders(self._request.headers)
        request = cast(HTTPRequest, _RequestProxy(changed, self._defaults))
        # The context is copied, because the caller may already run in it, and a context cannot be entered
        # twice.
        result = self._context.copy().run(hook, changed, changed.headers)
        if not isinstance(result, Awaitable):
            self._begin_hop(request)
            return

        seconds = request.request_timeout
        limit = asyncio.timeout(self._remaining(seconds) if seconds else None)

        async def begin() -> None:
            try:
                async with limit:
                    await result
                self._preparing = None
                self._begin_hop(request)
            except Exception as error:
                fault = error
                if limit.expired() and isinstance(error, TimeoutError):
                    fault = CurlError(
                        pycurl.E_OPERATION_TIMEDOUT, f"Timeout in before_request ({self.url_without_secrets})"
                    )
                    fault.__cause__ = error
                self._report(error=fault)
            except asyncio.CancelledError:  # this Task was cancelled, or a Future that the hook awaits
                self._report(
                    error=HTTPClientError(
                        NO_RESPONSE, f"cancelled (awaiting before_request, for {self.url_without_secrets})"
                    )
                )
                raise

        self._preparing = self._loop.create_task(begin(), context=self._context.copy())
        if isinstance(result, Coroutine):  # the coroutine is never started if the fetch is cancelled now
            self._preparing.add_done_callback(lambda _task: result.close())

    def _remaining(self, limit: float) -> float:
        """Return the remaining seconds of the fetch's ``request_timeout``."""
        return max(0.001, limit - (time.time() - self._started))

    def _begin_hop(self, request: HTTPRequest) -> None:
        self._hop_started = time.time()
        self._delays.clear()
        self._timer = None
        curl = self._curl = self._create()
        transfer = self._transfer = Transfer(
            self._client,
            curl,
            wake=functools.partial(self._multi.schedule_action, 0),
            streaming_callback=request.streaming_callback,
            header_callback=request.header_callback,
            max_body_size=self._client.limit_of(request),
            context=self._context,
            is_final=self._is_final,
            complete=self._complete,
        )
        self._set_up(curl, request, transfer.buffer, transfer.headers)
        is_first = not self._hops and self._attempts == 1 and self._client.before_request is None
        if not is_first and request.request_timeout:
            # libcurl's timeout is per transfer, but the request_timeout applies to the whole fetch.
            curl.setopt(pycurl.TIMEOUT_MS, max(1, int(self._remaining(request.request_timeout) * 1000)))
        source = request.body_source
        if source is not None:
            self._upload = Upload(source, self._loop, self._context, self._resume)
            self._upload.apply(curl, request.method, _announced_length(request.headers))
        if request.progress_callback is not None:
            curl.setopt(pycurl.NOPROGRESS, 0)
            curl.setopt(pycurl.XFERINFOFUNCTION, self._report_progress)
        if request.prepare_curl_callback is not None:
            # The context is copied, because the caller may already run in it, and a context cannot be entered
            # twice.
            self._context.copy().run(request.prepare_curl_callback, curl)
        self._multi.add(curl, self.transfer_ended)

    def _resume(self) -> None:
        if self._curl is not None:
            self._multi.resume(self._curl)

    def _report_progress(self, to_receive: int, received: int, to_send: int, sent: int) -> None:
        """Report progress, if any. libcurl calls this several times per second, even without progress."""
        callback = self._request.progress_callback
        if callback is not None and (sent, received) != self._progress:
            self._progress = sent, received
            progress = TransferProgress(sent, to_send or None, received, to_receive or None)
            self._loop.call_soon(callback, progress, context=self._context)

    def _complete(self) -> None:
        """Process a complete response, after the program's callbacks have been called with it."""
        try:
            self._conclude()
        except Exception as error:  # for example from a cookie jar's policy
            self._report(error=error)

    def _conclude(self) -> None:
        """Report the response, follow its redirect or retry the request."""
        transfer, upload = self._transfer, self._upload
        assert transfer is not None
        code, message = self._outcome
        error = transfer.error
        if error is None and code and upload is not None:
            error = upload.error
        if error is None and not code and not transfer.code:
            code, message = pycurl.E_GOT_NOTHING, "The response has no complete header section"
        if error is None and code:
            error = CurlError(code, self._describe(message))
        if code in _CONNECTION_ERRORS and not transfer.code and transfer.error is None:
            delay = self._delay(None, None)
            if delay is not None:
                self._schedule_retry(delay)
                return
        if error is None:
            jar = self._client.jar_of(self._request)
            if jar is not None:
                store_cookies(jar, self._request.url, transfer.headers)
            if not self._is_final(transfer.code, transfer.headers):
                delay = self._delays[transfer.code]
                if delay is not None:
                    self._schedule_retry(delay)
                else:
                    self._redirect(transfer)
                return
        self._report(transfer, error)

    @property
    def url_without_secrets(self) -> str:
        """The URL of the current hop for messages, without user information and query."""
        url = self._request.url.partition("?")[0]
        scheme, mark, rest = url.partition("://")
        return f"{scheme}{mark}{rest.rpartition('@')[2]}"

    def _describe(self, message: str) -> str:
        return f"{message or 'libcurl error'} ({self.url_without_secrets})"

    # -- redirects

    def _is_final(self, code: int, headers: HTTPHeaders) -> bool:
        request = self._request
        if code not in self._delays:
            self._delays[code] = self._delay(code, headers.get("Retry-After"))
        if self._delays[code] is not None:
            return False
        return not (
            code in REDIRECT_CODES
            and bool(request.follow_redirects)
            and bool(request.max_redirects)
            and "Location" in headers
        )

    def _redirect(self, transfer: Transfer) -> None:
        request = self._request
        self._release()
        try:
            plain = cast(HTTPRequest, getattr(request, "request", request))
            following = redirected_request(plain, request, transfer.code, transfer.headers)
            following.start_time = plain.start_time
        except Exception as error:
            self._report(error=error)
            return
        try:
            check_downgrade(request, following)
        except ValueError as error:
            message = f"cannot follow the redirect: {error}"
            self._report(transfer, HTTPClientError(transfer.code, message), responded=True)
            return
        if not is_same_origin(request.url, following.url):
            self._defaults = defaults_for_other_origin(self._defaults)
        self._request = cast(HTTPRequest, _RequestProxy(following, self._defaults))
        self._hops += 1
        self._prepare_hop()

    # -- retries

    def _delay(self, status: int | None, retry_after: str | None) -> float | None:
        """Return the delay in seconds before the hop is sent again, or None for no retry."""
        request = self._request
        policy = self._client.retry if request.retry is None else request.retry or None
        source = request.body_source
        if policy is None or (source is not None and not source.available):
            return None
        elapsed = time.time() - self._started
        delay = policy.delay(
            self._attempts,
            request.method,
            random=random.random(),
            elapsed=elapsed,
            now=time.time(),
            status=status,
            retry_after=retry_after,
        )
        if delay is not None and request.request_timeout and elapsed + delay >= request.request_timeout:
            return None
        return delay

    def _schedule_retry(self, delay: float) -> None:
        self._release()
        self._attempts += 1
        self._timer = self._client.io_loop.call_later(delay, self._prepare_hop)

    # -- the end

    def _release(self) -> None:
        """Stop the current hop: its Task, timer, transfer and upload."""
        preparing, self._preparing = self._preparing, None
        if preparing is not None and preparing is not asyncio.current_task():
            preparing.cancel()
        timer, self._timer = self._timer, None
        if timer is not None:
            self._client.io_loop.remove_timeout(timer)
        curl, self._curl = self._curl, None
        if self._transfer is not None:
            self._transfer.close()
        if self._upload is not None:
            self._upload.close()
            self._upload = None
        if curl is not None:
            self._multi.remove(curl)
            curl.close()

    def _time_info(self) -> dict[str, float]:
        curl = self._curl
        if curl is None:
            return {}
        times: dict[str, float] = {name: curl.getinfo(info) for name, info in _TIMES.items()}
        # The duration of earlier hops, which libcurl's times do not include.
        before = self._hop_started - self._started
        times["redirect"] += before
        times["total"] += before
        times["queue"] = self._started - self._queued
        return times

    def _report(
        self,
        transfer: Transfer | None = None,
        error: BaseException | None = None,
        responded: bool = False,
    ) -> None:
        """Call the callback with the response.

        :param responded: whether the response of the server is reported although there is an error.
        """
        callback, self._callback = self._callback, None
        if callback is None:
            return
        effective_url = self._request.url
        times: dict[str, float] = {}
        if self._curl is not None and transfer is not None:
            times = self._time_info()
            # pycurl raises an error if libcurl has rejected the URL.
            with contextlib.suppress(pycurl.error):
                effective_url = self._curl.getinfo(pycurl.EFFECTIVE_URL) or effective_url
        self._release()
        failed = error is not None and not responded
        response = HTTPResponse(
            self._original,
            NO_RESPONSE if transfer is None or failed else transfer.code,
            headers=None if transfer is None or failed else transfer.headers,
            buffer=None if transfer is None or failed else transfer.buffer,
            effective_url=effective_url,
            error=error,
            reason=None if transfer is None or failed else transfer.reason,
            request_time=time.time() - self._started,
            start_time=self._started,
            time_info=times,
        )
        if responded and isinstance(error, HTTPClientError):
            error.response = response
        self._ended(self)
        self._client.io_loop.add_callback(functools.partial(_call, callback, response))


def _announced_length(headers: HTTPHeaders) -> int | None:
    """Return the Content-Length that the program has set, or None if it is missing or malformed."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _call(callback: _Callback, response: HTTPResponse) -> None:
    try:
        callback(response)
    except Exception:
        logging.getLogger("tornado.application").exception("Exception in the callback of a fetch")
