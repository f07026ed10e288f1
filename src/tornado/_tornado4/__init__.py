"""The Tornado 4 API: callbacks, yield points and stack contexts.

Programs written for Tornado 4 run unchanged. Each use of an old API causes a `DeprecationWarning` that names
the replacement. The modules of this package are imported on first use; until then, they add no cost to a
request:

* Removed names (``web.asynchronous``, ``gen.engine``, ``concurrent.return_future``, …) are found by the
  ``__getattr__`` of their module.
* Methods that took ``callback=`` accept it again, as their last parameter. A callable at the position that
  the parameter had in Tornado 4 is also accepted as the callback.
* ``io_loop=`` arguments are accepted and ignored; the current loop is used.
* `tornado.ioloop` and `tornado.gen` have hooks. The first stack context of a program sets the hooks
  ``_call_in_contexts`` and ``_runner_started``; the first yield point sets ``_start_yield_points``.
* `tornado.httpclient` and `tornado.testing` call ``legacy_arguments.stack_contexts()`` to find out whether
  the program uses stack contexts.

`deprecation`, `legacy_arguments`
    deprecation warnings; support for ``callback=`` arguments and for a loop as the first argument.
`stack_contexts`
    the implementation of `tornado.stack_context`.
`future_callbacks`, `stream_callbacks`
    functions that pass results to callbacks.
`return_future`
    ``concurrent.return_future``.
`gen_engine`, `yield_points`, `key_registry`
    ``gen.engine`` and ``gen.Task``; ``gen.Callback``, ``gen.Wait`` and the other yield points.
`asynchronous`, `unused_port`, `log_trap`
    ``web.asynchronous``, ``testing.get_unused_port`` and ``testing.LogTrapTestCase``.
`is_finalizing`, `match_hostname`
    ``util.is_finalizing``; ``netutil.ssl_match_hostname`` and ``netutil.SSLCertificateError``.
`poll_ioloop`, `waker`, `waker_interface`
    ``ioloop.PollIOLoop`` and its subclasses; ``platform.auto`` and ``platform.interface``.
`twisted_reactors`, `twisted_resolver`
    the removed classes of ``platform.twisted``.
"""
