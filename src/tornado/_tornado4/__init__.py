"""The style of Tornado 4: callbacks, yield points, stack contexts. All of it lives here, and works.

A program of those days runs unchanged; each old spelling gives a `DeprecationWarning` that names the present
one. Nothing here is imported, and nothing is looked at on the way of a request, until a program uses it:

* Names that are gone otherwise (``web.asynchronous``, ``gen.engine``, ``concurrent.return_future``, …) are
  found by the ``__getattr__`` of the module they belong to.
* Methods that took ``callback=`` have that argument again, at their end. In the place where it stood in
  Tornado 4 a callable is taken for the callback.
* ``io_loop=`` arguments are accepted and ignored: everything belongs to the current loop.
* `tornado.ioloop` and `tornado.gen` have hooks. The first stack context of a program sets ``_call_inside``
  and ``_runner_started``, the first yield point ``_start_points``.
* `tornado.httpclient` and `tornado.testing` ask ``legacy_arguments.stack_contexts()`` whether a program uses
stack
  contexts.

`deprecation`, `legacy_arguments`
    the warnings; ``callback=`` of coroutines, and a loop in the first place.
`stack_contexts`
    what `tornado.stack_context` shows.
`future_callbacks`, `stream_callbacks`
    results that are handed to callbacks.
`return_future`
    ``concurrent.return_future``.
`gen_engine`, `yield_points`
    the rest of `tornado.gen`.
`asynchronous`, `unused_port`, `log_trap`
    ``web.asynchronous``, ``testing.get_unused_port`` and ``testing.LogTrapTestCase``.
"""
