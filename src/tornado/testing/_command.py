"""The command line of a module of tests."""

from __future__ import annotations

import sys
import unittest
from typing import Any


def main(**kwargs: Any) -> None:
    """Run the tests of a module, or those named on the command line, and exit.

    :arg kwargs: arguments of `unittest.main`.

    Put ``if __name__ == "__main__": tornado.testing.main()`` at the end of a module of tests that has a
    function ``all()`` giving a suite; or run ``python -m tornado.testing package.tests.test_module``.
    Options of `tornado.options` are understood (``--logging=debug``), and those of `unittest` that are
    listed by ``--help``.
    """
    _run(_parse_arguments(), kwargs)


def run_named() -> None:
    """Run the tests that the command line names, and exit: ``python -m tornado.testing``."""
    arguments = _parse_arguments()
    if len(arguments) == 1:
        sys.exit("No tests specified: python -m tornado.testing MODULE ...")
    _run(arguments, {})


def _run(arguments: list[str], kwargs: dict[str, Any]) -> None:
    named = len(arguments) > 1
    # With names, unittest finds them by import; without, the suite is made by the main module's all().
    target: dict[str, Any] = {"module": None} if named else {"defaultTest": "all"}
    unittest.main(argv=arguments, **{**target, **_unittest_options(), **kwargs})


def _parse_arguments() -> list[str]:
    from tornado.options import define, options, parse_command_line

    define("exception_on_interrupt", type=bool, default=True, help="let Ctrl-C end the run with a traceback")
    define("verbose", type=bool, default=False, help="list the tests")
    define("quiet", type=bool, default=False, help="print little")
    define("failfast", type=bool, default=False, help="end the run at the first failure")
    define("catch", type=bool, default=False, help="let Ctrl-C end the run after the test under way")
    define("buffer", type=bool, default=False, help="show what tests print only when they fail")
    named = parse_command_line(sys.argv)
    if options.catch or not options.exception_on_interrupt:
        unittest.installHandler()
    return [sys.argv[0], *named]


def _unittest_options() -> dict[str, Any]:
    from tornado.options import options

    chosen: dict[str, Any] = {name: True for name in ("failfast", "buffer") if options[name]}
    if options.verbose or options.quiet:
        chosen["verbosity"] = 2 if options.verbose else 0
    return chosen
