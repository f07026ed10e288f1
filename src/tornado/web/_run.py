"""`run`: serves an application until the process is told to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from tornado._public_module_names import export
from tornado.httputil import HTTPServerConnectionDelegate

if TYPE_CHECKING:
    from tornado._http_server_options import HTTPServerOptions


def run(
    application: HTTPServerConnectionDelegate | Callable[..., Any] | Callable[[], Awaitable[Any]],
    port: int = 8888,
    *,
    address: str | None = None,
    bind: str | Sequence[str] | None = None,
    grace: float = 30.0,
    drain_delay: float = 0.0,
    **options: Unpack[HTTPServerOptions],
) -> None:
    """Serve an application until SIGTERM or SIGINT (Ctrl-C), and print its URL.

    ::

        if __name__ == "__main__":
            tornado.web.run(make_app(), 8888)

    The function creates the event loop. It runs the application's start-up functions, accepts connections,
    and after the signal finishes the current requests before it runs the shutdown functions and returns. A
    second signal ends the process at once. A handler that the program has set for one of the signals is not
    replaced. Unless the program has set up logging, the log is written to standard error from the level INFO
    on, with a line for each request, as by ``python -m tornado serve``. It may also do so later, for example
    with `logging.basicConfig` in its start-up; `logging.info` without a logger calls that function.

    :param application: an `.Application`, any other request callback of `.HTTPServer`, a WSGI application, or
        a function without arguments that returns one of them. It is called in the event loop and may be a
        coroutine function.
    :param port: TCP port; 0 selects a free one.
    :param address: IP address or host name to listen on; by default all interfaces.
    :param bind: one or more addresses in place of `port` and `address`: ``host:port``, ``[IPv6]:port``,
        ``:port``, ``unix:path``, ``fd:number`` or ``systemd``.
    :param grace: maximum time for current requests to finish after the signal, in seconds.
    :param drain_delay: time in seconds from the signal until connections are no longer accepted, for load
        balancers that must first notice it.
    :param options: passed to `.HTTPServer` (``ssl_options``, ``xheaders``, …).
    :raises SystemExit: if an address cannot be used; the message names the process that uses the port.
    :raises RuntimeError: if an event loop runs in this thread; use `.Application.listen` in a coroutine.
    :raises ValueError: if `grace` or `drain_delay` is negative, or `bind` has an unknown form.
    """
    for name, seconds in (("grace", grace), ("drain_delay", drain_delay)):
        if not seconds >= 0:
            raise ValueError(f"run: {name} must be a number of seconds of at least 0, got {seconds!r}")
    # The edge layer is imported here only, because most programs of the tests never need it.
    from tornado._serve.in_process import ServiceSettings, run_program

    run_program(
        application,
        port,
        address,
        bind,
        ServiceSettings(options=options, grace=grace, drain_delay=drain_delay),
    )


__all__ = ["run"]

export(globals(), module="tornado.web")
