"""Configurable classes, the gzip decompressor, and the utility functions."""

from __future__ import annotations

import datetime
import gzip
import os
import random
import re
import sys
import unittest
import warnings
import zlib

import pytest

from tests.support.configuration import restored_configuration
from tornado import util
from tornado.util import ArgReplacer, Configurable, GzipDecompressor, ObjectDict


def test_examples_in_docstrings_are_correct():
    result = unittest.TestResult()
    util.doctests().run(result)
    assert result.testsRun >= 4
    assert not result.errors
    assert not result.failures


class Shape(Configurable):
    @classmethod
    def configurable_base(cls):
        return Shape

    @classmethod
    def configurable_default(cls):
        return Circle


class Circle(Shape):
    def initialize(self, size=1, color=None):
        self.size, self.color = size, color


class Square(Shape):
    def initialize(self, size=2, color=None):
        self.size, self.color = size, color


class Polygon(Shape):
    """An implementation that is itself an interface with several implementations."""

    @classmethod
    def configurable_base(cls):
        return Polygon

    @classmethod
    def configurable_default(cls):
        return Hexagon


class Hexagon(Polygon):
    def initialize(self, size=6):
        self.size = size


@pytest.fixture(autouse=True)
def unconfigured():
    with restored_configuration(Shape):
        yield


def test_default_implementation_is_created():
    made = Shape(size=5)
    assert type(made) is Circle
    assert made.size == 5


@pytest.mark.parametrize("impl", [Square, f"{__name__}.Square"])
def test_configured_implementation_is_created(impl, monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Square.__module__])
    Shape.configure(impl, color="red")
    made = Shape(size=3)
    assert (type(made), made.size, made.color) == (Square, 3, "red")
    assert Shape(color="blue").color == "blue"
    assert Square().color is None, "arguments of configure() apply only to calls of the interface"
    assert Shape.configured_class() is Square


def test_arguments_without_class_apply_to_default():
    Shape.configure(None, size=9)
    assert Shape().size == 9
    assert Circle().size == 1


def test_configured_interface_selects_its_own_default():
    Shape.configure(Polygon, size=4)
    made = Shape()
    assert (type(made), made.size) == (Hexagon, 4)


def test_class_that_is_not_a_subclass_is_rejected():
    with pytest.raises(ValueError, match="not a subclass"):
        Shape.configure(ObjectDict)
    with pytest.raises(ImportError):
        Shape.configure("nowhere.to.be.found")


def test_missing_configurable_methods_raise():
    with pytest.raises(NotImplementedError, match="configurable_base"):
        Configurable()
    with pytest.raises(NotImplementedError, match="configurable_default"):
        Configurable.configurable_default()


def unzip(data, step, max_length=100):
    """Decompress input in pieces of `step` bytes, with outputs of at most `max_length` bytes."""
    decompressor, output = GzipDecompressor(), b""
    for begin in range(0, len(data), step):
        rest = data[begin : begin + step]
        while rest:
            piece = decompressor.decompress(rest, max_length)
            assert len(piece) <= max_length
            output += piece
            rest = decompressor.unconsumed_tail
    assert decompressor.flush() == b""
    return output


@pytest.mark.parametrize("step", [1, 2, 7, 300, 10**6])
@pytest.mark.parametrize("max_length", [1, 100, 10**6])
def test_gzip_of_several_members(step, max_length):
    noise = random.Random(1).randbytes(700)
    parts = [b"hello " * 50, b"", noise, b"x"]
    assert unzip(b"".join(map(gzip.compress, parts)), step, max_length) == b"".join(parts)


@pytest.mark.parametrize("step", [1, 10**6])
@pytest.mark.parametrize("tail", [b"\0\0\0", b"garbage", b"\x1f\x1f"])
def test_gzip_with_trailing_data(tail, step):
    with pytest.raises(zlib.error, match="1f 8b"):
        unzip(gzip.compress(b"hello") + tail, step)


@pytest.mark.parametrize("data", [b"plain text", zlib.compress(b"zlib")])
def test_input_that_is_not_gzip(data):
    with pytest.raises(zlib.error):
        unzip(data, 10**6)


def test_truncated_gzip_raises():
    whole = gzip.compress(b"hello")
    for end in range(1, len(whole)):
        with pytest.raises(zlib.error, match="truncated"):
            unzip(whole[:end], 10**6)


def test_gzip_with_a_wrong_checksum():
    with pytest.raises(zlib.error, match="incorrect data check"):
        unzip(gzip.compress(b"hello")[:-8] + b"\0" * 8, 10**6)


def test_gzip_flush_with_unconsumed_input():
    decompressor = GzipDecompressor()
    decompressor.decompress(gzip.compress(b"\0" * 10**6), 10)
    with pytest.raises(ValueError, match="bytes in unconsumed_tail"):
        decompressor.flush()


def test_gzip_many_tiny_members_are_linear():
    # At the end of each member, zlib returns the rest of its input, which must not be copied each time.
    data = gzip.compress(b"") * 20000
    assert GzipDecompressor().decompress(data, 10) == b""


def test_gzip_without_max_length_is_deprecated():
    with pytest.warns(DeprecationWarning, match="max_length"):
        assert GzipDecompressor().decompress(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"


def test_items_of_object_dict_are_attributes():
    thing = ObjectDict(a=1)
    thing.b = 2
    assert (thing.a, thing["b"]) == (1, 2)
    with pytest.raises(AttributeError, match="missing"):
        _ = thing.missing


def test_import_object_returns_modules_and_attributes():
    assert util.import_object("tornado.escape").__name__ == "tornado.escape"
    assert util.import_object("os.path.join") is os.path.join
    assert util.import_object("os") is os
    with pytest.raises(ImportError, match="'nothing'"):
        util.import_object("tornado.escape.nothing")


def test_exec_in_ignores_future_imports_of_the_module():
    names: dict = {}
    util.exec_in("def f(x: 1): pass", names)
    assert names["f"].__annotations__ == {"x": 1}
    local: dict = {}
    util.exec_in("y = x", {"x": 5}, local)
    assert local == {"y": 5}


def test_raise_exc_info():
    try:
        raise KeyError("first")
    except KeyError:
        info = sys.exc_info()
    with pytest.raises(KeyError, match="first") as caught:
        util.raise_exc_info(info)
    assert caught.value is info[1]
    with pytest.raises(TypeError, match="expected the exc_info"):
        util.raise_exc_info((None, None, None))


def test_errno_from_exception():
    assert util.errno_from_exception(OSError(3, "x")) == 3
    assert util.errno_from_exception(OSError()) is None
    assert util.errno_from_exception(Exception(4, "x")) == 4
    assert util.errno_from_exception(Exception()) is None


def test_re_unescape_reverses_re_escape():
    text = "a.b-c [d] \\ \n é"
    assert util.re_unescape(re.escape(text)) == text
    for wrong in (r"\d", r"\1", r"x\b"):
        with pytest.raises(ValueError, match="cannot unescape"):
            util.re_unescape(wrong)


def test_timedelta_to_seconds():
    assert util.timedelta_to_seconds(datetime.timedelta(minutes=1, milliseconds=5)) == 60.005


def function(x, y, callback=None, *rest, z=None):
    """A function for tests of ArgReplacer."""


@pytest.mark.parametrize(
    ("args", "kwargs", "old", "new_args", "new_kwargs"),
    [
        ((1, 2), {}, None, (1, 2), {"callback": "new"}),
        ((1, 2), {"callback": "old"}, "old", (1, 2), {"callback": "new"}),
        ((1, 2, "old", 3), {}, "old", [1, 2, "new", 3], {}),
    ],
)
def test_arg_replacer_replaces_positional_and_keyword_arguments(args, kwargs, old, new_args, new_kwargs):
    replacer = ArgReplacer(function, "callback")
    assert replacer.get_old_value(args, kwargs, "missing") == (old or "missing")
    assert replacer.replace("new", args, kwargs) == (old, new_args, new_kwargs)


def test_arg_replacer_with_keyword_only_argument():
    replacer = ArgReplacer(function, "z")
    assert replacer.arg_pos is None
    assert replacer.replace(1, (2, 3), {}) == (None, (2, 3), {"z": 1})


def test_arg_replacer_with_compiled_functions():
    class Compiled:
        """A callable that inspect does not support."""

        __signature__ = "none"

        class func_code:
            co_varnames, co_argcount = ("a", "b", "local"), 2

        def __call__(self):
            """Do nothing."""

    assert ArgReplacer(Compiled(), "b").arg_pos == 1
    with pytest.raises(TypeError):
        ArgReplacer(5, "b")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 126, 1023, 1024, 1025, 5000])
def test_websocket_mask_applies_the_mask(size):
    noise = random.Random(size)
    mask, data = noise.randbytes(4), noise.randbytes(size)
    expected = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
    assert util._websocket_mask_python(mask, data) == expected
    assert util._websocket_mask(mask, data) == expected


def test_timeout_error_is_the_builtin():
    assert util.TimeoutError is TimeoutError
    with warnings.catch_warnings():
        assert (util.unicode_type, util.basestring_type, util.bytes_type) == (str, str, bytes)
