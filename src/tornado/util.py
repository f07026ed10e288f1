"""Utilities used throughout the package and by many programs.

`Configurable` is a base class for interfaces whose implementation is selected at run time.
`GzipDecompressor` decompresses gzip with a limit on the output of each step. `ObjectDict` is a dictionary
whose items are also attributes. Some of the functions exist only for programs written for Python 2.
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

from tornado._implicit_reexports import reexported
from tornado._public_module_names import list_public

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

#: Names from Python 2, which had two string types; kept for programs that still use them.
bytes_type = bytes
unicode_type = str
basestring_type = str
PY3 = True


class ObjectDict(dict[str, Any]):
    """A dictionary whose items are also attributes.

    >>> point = ObjectDict(x=1)
    >>> point.y = 2
    >>> sorted(point.items())
    [('x', 1), ('y', 2)]

    Reading a missing attribute raises `AttributeError`.
    """

    def __getattr__(self, name: str) -> Any:
        """Return the item `name`."""
        if name in self:
            return self[name]
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the item `name`."""
        self[name] = value


# The size of the slices of input passed to zlib, in bytes. zlib copies the rest of a slice when a gzip member
# ends in it. If each of many tiny members were passed all remaining input, the cost would be quadratic. So
# the first slice of each member is small, and each following slice is twice as large.
_MIN_SLICE_SIZE = 256
_MAX_SLICE_SIZE = 65536
_GZIP_WBITS = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


class GzipDecompressor:
    """A streaming gzip decompressor (RFC 1952) with a limit on the output of each step.

    It has the methods of `zlib.decompressobj`. A stream may consist of several members (RFC 1952 section
    2.2). Any other data after a member, including zero padding, is an error, and so is a truncated stream.

    >>> import gzip
    >>> unzip = GzipDecompressor()
    >>> unzip.decompress(gzip.compress(b"hello"), 100)
    b'hello'
    >>> unzip.flush()
    b''
    """

    def __init__(self) -> None:
        self._member: Any = None  # the zlib object for the current member, None between members
        self._magic = b""  # the first byte of a member, until the second arrives
        self._tail = b""

    @property
    def unconsumed_tail(self) -> bytes:
        """The input not yet processed because `max_length` was reached. Pass it to `decompress` again."""
        return self._tail

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """Decompress the next piece of the stream.

        :param value: input bytes, which must start with the `unconsumed_tail` of the previous call.
        :param max_length: the maximum size of the output, in bytes; the rest of the input is kept in
            `unconsumed_tail`. Zero means no limit, which is deprecated because a small input can have a very
            large output.
        :raises zlib.error: if the input is not valid gzip data.
        """
        if not max_length:
            warnings.warn(
                "GzipDecompressor.decompress without max_length is deprecated: the output size is unlimited",
                DeprecationWarning,
                stacklevel=2,
            )
        data = memoryview(value)
        position, slice_size, remaining = 0, _MIN_SLICE_SIZE, max_length
        output: list[bytes] = []
        while position < len(data) and (remaining > 0 or not max_length):
            if self._member is None:
                position += self._begin_member(bytes(data[position : position + 2]))
                slice_size = _MIN_SLICE_SIZE
                continue
            member = self._member
            piece = data[position : position + slice_size]
            output.append(member.decompress(piece, remaining))
            if max_length:
                remaining -= len(output[-1])
            # At the end of a member, the input after it is in unused_data, and sometimes also in
            # unconsumed_tail.
            position += len(piece) - len(member.unused_data if member.eof else member.unconsumed_tail)
            slice_size = min(slice_size * 2, _MAX_SLICE_SIZE)
            if member.eof:
                self._member = None
        self._tail = bytes(data[position:])
        return output[0] if len(output) == 1 else b"".join(output)

    def _begin_member(self, start: bytes) -> int:
        """Check the first two bytes of a member.

        :returns: the number of bytes consumed from the input.
        """
        consumed = len(start) if not self._magic else 1
        magic = (self._magic + start)[:2]
        if not _GZIP_MAGIC.startswith(magic):
            raise zlib.error(f"not a gzip member: expected 1f 8b, got {magic.hex(' ')}")
        if len(magic) == 2:
            self._member = zlib.decompressobj(_GZIP_WBITS)
            self._member.decompress(magic)
            self._magic = b""
        else:
            self._magic = magic
        return consumed

    def flush(self) -> bytes:
        """End the stream.

        :returns: ``b""``, because `decompress` does not buffer output.
        :raises zlib.error: if the stream ends inside a member.
        :raises ValueError: if `unconsumed_tail` is not empty.
        """
        if self._tail:
            raise ValueError(
                f"flush() called with {len(self._tail)} bytes in unconsumed_tail: pass them to decompress()"
            )
        if self._member is not None or self._magic:
            raise zlib.error("truncated gzip stream: it ends inside a member")
        return b""


def import_object(name: str) -> Any:
    """Import a module, or an object in a module, by its dotted name.

    >>> import_object("tornado.util") is sys.modules["tornado.util"]
    True
    >>> import_object("os.path.join").__name__
    'join'

    :raises ImportError: if the module does not exist or has no such attribute.
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
    """Execute source text or a code object in the given namespaces.

    The ``__future__`` imports of this module do not apply to the code.

    :param code: source text or a code object.
    :param glob: the global namespace.
    :param loc: the local namespace, by default the global one.
    """
    if isinstance(code, str):
        code = compile(code, "<string>", "exec", dont_inherit=True)
    exec(code, glob, loc)


def raise_exc_info(
    exc_info: tuple[type[BaseException] | None, BaseException | None, types.TracebackType | None],
) -> NoReturn:
    """Re-raise an exception that `sys.exc_info` returned earlier, with its traceback.

    :raises TypeError: if the tuple does not contain an exception.
    """
    error = exc_info[1]
    if error is None:
        raise TypeError(f"raise_exc_info: expected the exc_info of an exception, got {exc_info!r}")
    try:
        raise error.with_traceback(exc_info[2])
    finally:
        # The traceback refers to this frame, so without `del` a reference cycle would remain after the call.
        del error, exc_info


def errno_from_exception(e: BaseException) -> int | None:
    """Return the error number of an exception: its ``errno``, or else its first argument, or else None."""
    number = getattr(e, "errno", None)
    if number is not None or hasattr(e, "errno"):
        return number
    return e.args[0] if e.args else None


_ESCAPE_SEQUENCE = re.compile(r"\\(.)", re.DOTALL)


def re_unescape(s: str) -> str:
    r"""Reverse `re.escape`.

    >>> re_unescape(r"a\.b\-c")
    'a.b-c'

    :raises ValueError: if the text contains a sequence that `re.escape` never produces, such as ``\d``.
    """
    return _ESCAPE_SEQUENCE.sub(_unescape_match, s)


def _unescape_match(match: re.Match[str]) -> str:
    character = match[1]
    if character.isascii() and character.isalnum():
        raise ValueError(f"cannot unescape {match[0]!r}: re.escape never produces it")
    return character


class Configurable:
    """Base class of an interface whose implementation is selected at run time.

    Calling the interface creates an instance of the configured implementation, or of the default one::

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
        Clock()                                 # creates a FakeClock with offset=3

    Implementations define `initialize` instead of ``__init__``. They can also be instantiated directly;
    arguments passed to `configure` apply only to calls of the interface.
    """

    # This attribute is set on the interface (the configurable base), never on this class.
    __impl_class: type[Configurable] | None = None
    __impl_kwargs: dict[str, Any] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Create an instance of the configured implementation and call its `initialize`."""
        base = cls.configurable_base()
        chosen: Any = cls
        if cls is base:
            chosen = cls.configured_class()
            if base.__impl_kwargs:
                kwargs = {**base.__impl_kwargs, **kwargs}
            if chosen.configurable_base() is not base:
                # The implementation is itself an interface with several implementations.
                return chosen(*args, **kwargs)  # type: ignore[no-any-return]
        instance: Self = super().__new__(chosen)
        # `initialize` is used because Python would call __init__ again when __new__ returns an instance.
        instance.initialize(*args, **kwargs)
        return instance

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """Return the interface class, usually the class that defines this method."""
        raise NotImplementedError(f"{cls.__qualname__} must define configurable_base()")

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """Return the implementation to use if none is configured."""
        raise NotImplementedError(f"{cls.__qualname__} must define configurable_default()")

    def _initialize(self) -> None:
        """Initialize the instance. Implementations override this instead of ``__init__``."""

    # `initialize` is an attribute, not a method, so that type checkers accept any signature in
    # implementations.
    initialize: Callable[..., None] = _initialize

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Select the implementation that is created when the interface is called.

        :param impl: a class, its dotted name, or None for the default.
        :param kwargs: arguments for `initialize`; arguments of the call take precedence.
        :raises ValueError: if `impl` is not a subclass of this class.
        """
        base = cls.configurable_base()
        chosen: type[Configurable] | None = import_object(impl) if isinstance(impl, str) else impl
        if chosen is not None and not (isinstance(chosen, type) and issubclass(chosen, cls)):
            raise ValueError(f"cannot configure {chosen}: it is not a subclass of {cls}")
        base.__impl_class = chosen
        base.__impl_kwargs = kwargs

    @classmethod
    def configured_class(cls) -> type[Configurable]:
        """Return the implementation in use: the configured one, or else the default."""
        base = cls.configurable_base()
        # Ignore the configuration of an interface that this one inherits from.
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
    """Finds and replaces one argument of calls, whether it is positional or a keyword. It is useful in
    decorators.

    :param func: the function that is called.
    :param name: the name of the argument.

    >>> def fetch(url, timeout=None): ...
    >>> ArgReplacer(fetch, "timeout").replace(3, ("/", 1), {})
    (1, ['/', 3], {})
    """

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.name = name
        names = _argument_names(func)
        #: The position of the argument; None if it is keyword-only.
        self.arg_pos: int | None = names.index(name) if name in names else None

    def get_old_value(self, args: Sequence[Any], kwargs: dict[str, Any], default: Any = None) -> Any:
        """Return the value of the argument, or `default` if it was not passed."""
        if self._is_positional(args):
            return args[self.arg_pos]  # type: ignore[index]
        return kwargs.get(self.name, default)

    def replace(
        self, new_value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, Sequence[Any], dict[str, Any]]:
        """Replace the value of the argument.

        :returns: ``(old value or None, args, kwargs)``, with the arguments for the call. `kwargs` is modified
            in place. If the argument is positional, `args` is copied to a list.
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
    """Return the names of a function's positional arguments, including ``self``; supports Cython."""
    try:
        return list(inspect.getfullargspec(func).args)
    except TypeError:
        # inspect cannot read the signature of a Cython function, but such a function has a code object.
        code: Any = getattr(func, "func_code", None) or getattr(func, "__code__", None)
        if code is None:
            raise
        return list(code.co_varnames[: code.co_argcount])


def timedelta_to_seconds(td: datetime.timedelta) -> float:
    """Return ``td.total_seconds()``."""
    return td.total_seconds()


def _websocket_mask_python(mask: bytes, data: bytes) -> bytes:
    """Mask or unmask a WebSocket payload (RFC 6455 section 5.3): XOR byte i with byte i % 4 of the mask.

    Both algorithms are linear, and their loops over bytes are in C: a short payload is XORed as one large
    integer; in a long one, every fourth byte is translated with the same table.

    :param mask: the masking key, 4 bytes.
    :raises ValueError: if the masking key is not 4 bytes long.
    """
    if len(mask) != 4:
        raise ValueError(f"the masking key must be 4 bytes, got {len(mask)}")
    size = len(data)
    if size < _TABLE_THRESHOLD:
        key = (mask * (size // 4 + 1))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
    output = bytearray(data)
    for offset, key_byte in enumerate(mask):
        output[offset::4] = output[offset::4].translate(_xor_table(key_byte))
    return bytes(output)


_TABLE_THRESHOLD = 384  # in bytes; from this size on, the tables are faster (measured)


@functools.cache
def _xor_table(key_byte: int) -> bytes:
    """Return a translation table that XORs each byte with `key_byte`. At most 256 tables are cached."""
    return bytes(byte ^ key_byte for byte in range(256))


_websocket_mask = _websocket_mask_python


def doctests() -> unittest.TestSuite:
    """Return a test suite of the examples in this module's docstrings."""
    import doctest

    return doctest.DocTestSuite(sys.modules[__name__])


def __getattr__(name: str) -> Any:
    if name == "is_finalizing":  # for programs written for Tornado 4
        return import_object("tornado._tornado4.is_finalizing.is_finalizing")
    return reexported(__name__, name)


list_public(globals())
