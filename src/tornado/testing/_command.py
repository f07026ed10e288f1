"""The command line of a test module."""

from __future__ import annotations

import sys
import unittest
from typing import Any


def main(**kwargs: Any) -> None:
    """Run the tests of the main module, or the tests named on the command line, and exit.

    Add ``if __name__ == "__main__": tornado.testing.main()`` to a test module with a function ``all()`` that
    returns a test suite, or run ``python -m tornado.testing package.tests.test_module``. The command line may
    contain options of `tornado.options`, such as ``--logging=debug``, and those options of `unittest` that
    ``--help`` lists.

    :param kwargs: arguments for `unittest.main`.
    """
    _run(_parse_arguments(), kwargs)


def run_named() -> None:
    """Run the tests named on the command line of ``python -m tornado.testing``, and exit."""
    arguments = _parse_arguments()
    if len(arguments) == 1:
        sys.exit("No tests specified: python -m tornado.testing MODULE ...")
    _run(arguments, {})


def _run(arguments: list[str], kwargs: dict[str, Any]) -> None:
    named = len(arguments) > 1
    # unittest imports named tests. Without names, all() of the main module returns the suite.
    target: dict[str, Any] = {"module": None} if named else {"defaultTest": "all"}
    unittest.main(argv=arguments, **{**target, **_unittest_options(), **kwargs})


def _parse_arguments() -> list[str]:
    from tornado.options import define, options, parse_command_line

    define("exception_on_interrupt", type=bool, default=True, help="stop with a traceback on Ctrl-C")
    define("verbose", type=bool, default=False, help="show the name of each test")
    define("quiet", type=bool, default=False, help="show less output")
    define("failfast", type=bool, default=False, help="stop on the first failure")
    define("catch", type=bool, default=False, help="on Ctrl-C, stop after the current test")
    define("buffer", type=bool, default=False, help="show the output of a test only if it fails")
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
