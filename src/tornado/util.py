"""Small tools that the rest of the package, and many programs, build on.

`Configurable` is what lets one class name stand for several implementations, `GzipDecompressor` undoes
gzip in bounded steps, `ObjectDict` is a dictionary with attributes, and the functions are the little
things that the standard library leaves out. Some exist only for programs written in Python 2's days.
"""

from __future__ import annotations

import datetime
import functools
import inspect
import re
import sys
import types
import warnings
import zlib
from builtins import TimeoutError as TimeoutError
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

from tornado._export import list_public
from tornado._reexports import reexported

if TYPE_CHECKING:
    import unittest

__all__ = [
    "ArgReplacer",
    "Configurable",
    "GzipDecompressor",
    "ObjectDict",
    "TimeoutError",
    "basestring_type",
    "bytes_type",
    "doctests",
    "errno_from_exception",
    "exec_in",
    "import_object",
    "raise_exc_info",
    "re_unescape",
    "timedelta_to_seconds",
    "unicode_type",
]

#: Names from the days of two string types; kept for programs that still use them.
bytes_type = bytes
unicode_type = str
basestring_type = str
PY3 = True


class ObjectDict(dict[str, Any]):
    """A dictionary whose items are attributes too.

    >>> point = ObjectDict(x=1)
    >>> point.y = 2
    >>> sorted(point.items())
    [('x', 1), ('y', 2)]

    Reading a name that is not there raises `AttributeError`.
    """

    def __getattr__(self, name: str) -> Any:
        """Item `name`, where the class has no such attribute."""
        if name in self:
            return self[name]
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Store an item; the dictionary has no attributes of its own."""
        self[name] = value


# How much of the input is shown to zlib at once. Whatever follows the end of a gzip member is copied out
# of zlib and offered to the next one, so a long run of tiny members must not each drag the whole input
# along: every member is first shown a little, then twice as much each time. The work stays linear.
_FIRST_SLICE = 256
_LAST_SLICE = 65536
_GZIP_WBITS = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


class GzipDecompressor:
    """Undo gzip (RFC 1952) piece by piece, with a bound on what each step may produce.

    The methods are those of `zlib.decompressobj`. Several members in a row are one stream (RFC 1952
    section 2.2); anything else after a member, zero padding included, is an error, and so is a stream that
    ends too early.

    >>> import gzip
    >>> unzip = GzipDecompressor()
    >>> unzip.decompress(gzip.compress(b"hello"), 100)
    b'hello'
    >>> unzip.flush()
    b''
    """

    def __init__(self) -> None:
        self._member: Any = None  # the zlib object of the member under way, None between two
        self._magic = b""  # the first byte of a member, where the second has not come yet
        self._tail = b""

    @property
    def unconsumed_tail(self) -> bytes:
        """Input left over because `max_length` was reached: pass it to `decompress` again."""
        return self._tail

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """Decompress the next piece of the stream.

        :arg value: input bytes; the `unconsumed_tail` of the last call comes first, if there was one.
        :arg max_length: return at most so many bytes and keep the rest of the input in `unconsumed_tail`.
            Zero means no bound, which is deprecated: a small input can hold a very large output.
        :raises zlib.error: where the input is not gzip, or is damaged.
        """
        if not max_length:
            warnings.warn(
                "pass max_length to GzipDecompressor.decompress: without it the output has no bound",
                DeprecationWarning,
                stacklevel=2,
            )
        data = memoryview(value)
        position, slice_size, room = 0, _FIRST_SLICE, max_length
        output: list[bytes] = []
        while position < len(data) and (room > 0 or not max_length):
            if self._member is None:
                position += self._begin_member(bytes(data[position : position + 2]))
                slice_size = _FIRST_SLICE
                continue
            member = self._member
            piece = data[position : position + slice_size]
            output.append(member.decompress(piece, room))
            if max_length:
                room -= len(output[-1])
            # At its end a member leaves what follows in unused_data, and at times in unconsumed_tail as well.
            position += len(piece) - len(member.unused_data if member.eof else member.unconsumed_tail)
            slice_size = min(slice_size * 2, _LAST_SLICE)
            if member.eof:
                self._member = None
        self._tail = bytes(data[position:])
        return output[0] if len(output) == 1 else b"".join(output)

    def _begin_member(self, start: bytes) -> int:
        """Look at the first two bytes of a member; return how many were taken from the input."""
        taken = len(start) if not self._magic else 1
        magic = (self._magic + start)[:2]
        if not _GZIP_MAGIC.startswith(magic):
            raise zlib.error(f"a gzip member starts with 1f 8b, this one with {magic.hex(' ')}")
        if len(magic) == 2:
            self._member = zlib.decompressobj(_GZIP_WBITS)
            self._member.decompress(magic)
            self._magic = b""
        else:
            self._magic = magic
        return taken

    def flush(self) -> bytes:
        """End the stream: always ``b""``, as `decompress` holds nothing back.

        :raises zlib.error: where the stream stops inside a member.
        :raises ValueError: where there still is an `unconsumed_tail`.
        """
        if self._tail:
            raise ValueError(f"{len(self._tail)} bytes of input were never passed to decompress again")
        if self._member is not None or self._magic:
            raise zlib.error("the gzip stream ends in the middle of a member (truncated)")
        return b""


def import_object(name: str) -> Any:
    """The module, or the object inside a module, that a dotted name leads to.

    >>> import_object("tornado.util") is sys.modules["tornado.util"]
    True
    >>> import_object("os.path.join").__name__
    'join'

    :raises ImportError: where there is no such module, or the module has no such attribute.
    """
    parent, _, attribute = name.rpartition(".")
    if not parent:
        return __import__(name)
    module = __import__(parent, fromlist=[attribute])
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise ImportError(
            f"module {parent!r} has neither an attribute nor a submodule {attribute!r}", name=name
        ) from None


def exec_in(code: Any, glob: dict[str, Any], loc: Mapping[str, Any] | None = None) -> None:
    """Run source text or a code object in the given namespaces.

    The ``__future__`` settings of this module do not apply to it.

    :arg code: a string, or what `compile` returned.
    :arg glob: the global names.
    :arg loc: the local names; the global ones where it is left out.
    """
    if isinstance(code, str):
        code = compile(code, "<string>", "exec", dont_inherit=True)
    exec(code, glob, loc)


def raise_exc_info(
    exc_info: tuple[type[BaseException] | None, BaseException | None, types.TracebackType | None],
) -> NoReturn:
    """Raise again what `sys.exc_info` returned earlier, with its traceback.

    :raises TypeError: where the tuple holds no exception.
    """
    error = exc_info[1]
    if error is None:
        raise TypeError("raise_exc_info needs the exc_info of an exception, and got one without")
    try:
        raise error.with_traceback(exc_info[2])
    finally:
        # The frame must not keep the traceback, which keeps the frame: that cycle would outlive the call.
        del error, exc_info


def errno_from_exception(e: BaseException) -> int | None:
    """The error number of an exception: its ``errno``, else its first argument, else None."""
    number = getattr(e, "errno", None)
    if number is not None or hasattr(e, "errno"):
        return number
    return e.args[0] if e.args else None


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def re_unescape(s: str) -> str:
    r"""Undo `re.escape`.

    >>> re_unescape(r"a\.b\-c")
    'a.b-c'

    :raises ValueError: for what `re.escape` never writes, such as ``\d``.
    """
    return _ESCAPED.sub(_plain_character, s)


def _plain_character(match: re.Match[str]) -> str:
    character = match[1]
    if character.isascii() and character.isalnum():
        raise ValueError(f"cannot unescape {match[0]!r}: re.escape never writes it")
    return character


class Configurable:
    """A class that stands for one of several implementations, chosen when the program runs.

    Calling the interface makes an instance of the implementation that is configured, or of the default one::

        class Clock(Configurable):
            @classmethod
            def configurable_base(cls):
                return Clock

            @classmethod
            def configurable_default(cls):
                return SystemClock

        class SystemClock(Clock):
            def initialize(self, offset=0): ...

        Clock.configure("myproject.FakeClock", offset=3)
        Clock()                                 # a FakeClock, initialized with offset=3

    Implementations define `initialize` in place of ``__init__``. They can also be made directly; the
    settings given to `configure` are for the interface only.
    """

    # These two are set on the base class of each family, never here.
    __impl_class: type[Configurable] | None = None
    __impl_kwargs: dict[str, Any] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an instance of the configured implementation and run its `initialize`."""
        base = cls.configurable_base()
        chosen: Any = cls
        if cls is base:
            chosen = cls.configured_class()
            if base.__impl_kwargs:
                kwargs = {**base.__impl_kwargs, **kwargs}
            if chosen.configurable_base() is not base:
                # The implementation is itself the interface of a smaller family: let it choose.
                return chosen(*args, **kwargs)  # type: ignore[no-any-return]
        made: Self = super().__new__(chosen)
        # No __init__: Python would run it once more when an implementation's call returns its own instance.
        made.initialize(*args, **kwargs)
        return made

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """The class at the head of the family, often the one that defines this method."""
        raise NotImplementedError(f"{cls.__qualname__} has to define configurable_base()")

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """The implementation to use where nothing was configured."""
        raise NotImplementedError(f"{cls.__qualname__} has to define configurable_default()")

    def _initialize(self) -> None:
        """Take the arguments of the call; this is the constructor of a configurable class."""

    # An attribute, not a method: implementations give it whatever signature suits them.
    initialize: Callable[..., None] = _initialize

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Choose the implementation that calling the base class makes.

        :arg impl: a class, its dotted name, or None for the default one.
        :arg kwargs: arguments for `initialize`; those of the call itself win over them.
        :raises ValueError: where `impl` is not a subclass of this class.
        """
        base = cls.configurable_base()
        chosen: type[Configurable] | None = import_object(impl) if isinstance(impl, str) else impl
        if chosen is not None and not issubclass(chosen, cls):
            raise ValueError(f"{chosen} cannot stand in for {cls}: it is not a subclass of it")
        base.__impl_class = chosen
        base.__impl_kwargs = kwargs

    @classmethod
    def configured_class(cls) -> type[Configurable]:
        """The implementation in use: the configured one, else the default."""
        base = cls.configurable_base()
        # Only what was set on this base counts, not what a family further up has.
        chosen = vars(base).get("_Configurable__impl_class")
        if chosen is None:
            chosen = base.__impl_class = base.configurable_default()
        found: type[Any] = chosen
        return found

    @classmethod
    def _save_configuration(cls) -> tuple[type[Configurable] | None, dict[str, Any] | None]:
        base = cls.configurable_base()
        return (base.__impl_class, base.__impl_kwargs)

    @classmethod
    def _restore_configuration(cls, saved: tuple[type[Configurable] | None, dict[str, Any] | None]) -> None:
        base = cls.configurable_base()
        base.__impl_class, base.__impl_kwargs = saved


class ArgReplacer:
    """Find and replace one argument of a call, however it was passed: by a decorator, for one.

    :arg func: the function whose calls are looked at.
    :arg name: the name of the argument.

    >>> def fetch(url, timeout=None): ...
    >>> ArgReplacer(fetch, "timeout").replace(3, ("/", 1), {})
    (1, ['/', 3], {})
    """

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.name = name
        names = _argument_names(func)
        #: Where the argument stands among the positional ones; None where it can only be passed by name.
        self.arg_pos: int | None = names.index(name) if name in names else None

    def get_old_value(self, args: Sequence[Any], kwargs: dict[str, Any], default: Any = None) -> Any:
        """The value that was passed, or `default` where none was."""
        if self._is_positional(args):
            return args[self.arg_pos]  # type: ignore[index]
        return kwargs.get(self.name, default)

    def replace(
        self, new_value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, Sequence[Any], dict[str, Any]]:
        """Put `new_value` in place of what was passed.

        :returns: ``(old value or None, args, kwargs)``, the latter two for the call to be made. `kwargs`
            is changed in place; of `args` a list is made where it has to change.
        """
        if self._is_positional(args):
            changed = list(args)
            old, changed[self.arg_pos] = changed[self.arg_pos], new_value  # type: ignore[index]
            return old, changed, kwargs
        old = kwargs.get(self.name)
        kwargs[self.name] = new_value
        return old, args, kwargs

    def _is_positional(self, args: Sequence[Any]) -> bool:
        return self.arg_pos is not None and self.arg_pos < len(args)


def _argument_names(func: Callable[..., Any]) -> list[str]:
    """The names of a function's positional arguments, ``self`` included, for compiled functions too."""
    try:
        return list(inspect.getfullargspec(func).args)
    except TypeError:
        # Cython gives its functions a code object, though inspect cannot read their signature.
        code: Any = getattr(func, "func_code", None) or getattr(func, "__code__", None)
        if code is None:
            raise
        return list(code.co_varnames[: code.co_argcount])


def timedelta_to_seconds(td: datetime.timedelta) -> float:
    """The same as ``td.total_seconds()``."""
    return td.total_seconds()


def _websocket_mask_python(mask: bytes, data: bytes) -> bytes:
    """Mask or unmask WebSocket payload (RFC 6455 section 5.3): byte i is XORed with byte i % 4 of the mask.

    Both ways are linear and loop over bytes in C: a short payload is one long number, in a long one every
    fourth byte goes through the same table.

    :arg mask: four bytes.
    :raises ValueError: if it has not four.
    """
    if len(mask) != 4:
        raise ValueError(f"a mask has 4 bytes, not {len(mask)}")
    size = len(data)
    if size < _LONG_PAYLOAD:
        key = (mask * (size // 4 + 1))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
    output = bytearray(data)
    for offset, key_byte in enumerate(mask):
        output[offset::4] = output[offset::4].translate(_xor_table(key_byte))
    return bytes(output)


_LONG_PAYLOAD = 384  # measured: from here on the tables win


@functools.cache
def _xor_table(key_byte: int) -> bytes:
    """What every byte becomes when it is XORed with one byte; at most 256 tables are ever made."""
    return bytes(byte ^ key_byte for byte in range(256))


_websocket_mask = _websocket_mask_python


def doctests() -> unittest.TestSuite:
    """The examples in this module's docstrings, as a test suite."""
    import doctest

    return doctest.DocTestSuite(sys.modules[__name__])


def __getattr__(name: str) -> Any:
    if name == "is_finalizing":  # of Tornado 4, imported when it is used
        return import_object("tornado._tornado4.finalizing.is_finalizing")
    return reexported(__name__, name)


list_public(globals())
