"""What a debug page may not show: by name, and by value wherever it stands."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote_plus

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

#: Shown instead of a secret, whatever its length.
MASK = "\u2022" * 6

# Anywhere in a name, and as a word of it ("api_key", "apiKey", but not "monkey").
_IN_NAMES = re.compile(
    "passw(?:or)?d|passphrase|secret|token|cookie|authori[sz]ation|session|credential|[xc]srf|signature|private",
    re.IGNORECASE,
)
_WORDS = frozenset({"key", "keys", "apikey", "pwd", "pass", "auth", "jwt", "bearer", "otp", "pin"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# The loop variables of everyday: hidden as the name of a setting or a field, not as that of a variable.
_EVERYDAY = frozenset({"key", "keys"})
# The password in the address of a database.
_IN_ADDRESSES = re.compile(r"(://[^\s/:@'\"]*:)[^\s/:@'\"]+@")

# A literal in a source, with the name that it is given.
_IN_SOURCES = re.compile(r"\b(\w{1,100})(['\"]?\]?\s*[:=]\s*[a-zA-Z]{0,2})(['\"])((?:(?!\3)[^\\\n]|\\.)+)\3")

# A shorter text is found in too many innocent ones.
_SHORTEST_SETTING = 4
_SHORTEST_SENT = 8
_MOST_VALUES = 200
_LONGEST_VALUE = 8192
_DEPTH = 4
# Text is masked before it is cut, so that no half of a secret is left; this is where it is cut first.
_LONGEST_TEXT = 2**20


class Secrets:
    """The names and the values that are to be masked.

    :param values: texts that may not appear.
    :param pairs: arguments as they stand in an address, ``name=value``; too short, it may be, to be looked
        for without their names.
    """

    def __init__(self, values: Iterable[str] = (), pairs: Iterable[str] = ()) -> None:
        self._pairs = [(pair, f"{pair.partition('=')[0]}={MASK}") for pair in pairs]
        forms: dict[str, None] = {}
        for value in values:
            forms.update(dict.fromkeys(_forms(value)))
        self._forms = sorted(forms, key=len, reverse=True)

    @classmethod
    def of(cls, handler: RequestHandler) -> Secrets:
        """Those of a handler's application and request."""
        found = _Collector()
        for part in (_from_settings, _from_headers, _from_cookies, _from_address, _from_arguments):
            _try(part, handler, found)
        return cls(found.values, found.pairs)

    def hide(self, name: object, value: object, *, variable: bool = False) -> bool:
        """Whether the value of a name is masked.

        What can be no secret is shown: None, a truth value, nothing at all, a function or a class.

        :param variable: the name is a variable of the program, not a key of something.
        """
        if value is None or isinstance(value, (bool, type)) or callable(value) or value in ("", b""):
            return False
        return is_secret_name(name, variable=variable)

    def mask(self, text: str) -> str:
        """The text with all secret values masked. What is over a mebibyte is cut off."""
        text = text[:_LONGEST_TEXT]
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        for pair, masked in self._pairs:
            if pair in text:
                text = text.replace(pair, masked)
        return _IN_ADDRESSES.sub(rf"\1{MASK}@", text) if "://" in text else text

    def mask_source(self, line: str) -> str:
        """A line of source, also without the literals that secret names are given."""
        return _IN_SOURCES.sub(_masked_literal, self.mask(line))


def _masked_literal(found: re.Match[str]) -> str:
    name, between, quote_mark, _ = found.groups()
    if not is_secret_name(name, variable=True):
        return found[0]
    return f"{name}{between}{quote_mark}{MASK}{quote_mark}"


def is_secret_name(name: object, *, variable: bool = False) -> bool:
    """Whether a name sounds like a secret's; see `Secrets.hide`."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        return False
    name = name[:200]
    if variable and name in _EVERYDAY:
        return False
    return bool(_IN_NAMES.search(name)) or not _WORDS.isdisjoint(map(str.lower, _WORD.findall(name)))


def _forms(value: str) -> list[str]:
    """A secret as it may stand in a source, a repr or an address."""
    encoded = value.encode("utf-8", "replace")
    return [value, repr(value)[1:-1], repr(encoded)[2:-1], quote(encoded, safe=""), quote_plus(encoded)]


class _Collector:
    """Collects secret texts, as many as are reasonable."""

    def __init__(self) -> None:
        self.values: dict[str, None] = {}
        self.pairs: dict[str, None] = {}

    def add(self, value: object, shortest: int) -> None:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str) and shortest <= len(value) <= _LONGEST_VALUE:
            if len(self.values) < _MOST_VALUES:
                self.values[value] = None

    def walk(self, value: object, secret: bool, depth: int = 0) -> None:
        """Add what is in a setting: all of it, or what has a secret name."""
        if isinstance(value, Mapping):
            if depth < _DEPTH:
                for name, item in list(value.items())[:_MOST_VALUES]:
                    self.walk(item, secret or is_secret_name(name), depth + 1)
        elif isinstance(value, (list, tuple, set, frozenset)):
            if depth < _DEPTH:
                for item in list(value)[:_MOST_VALUES]:
                    self.walk(item, secret, depth + 1)
        elif secret:
            self.add(value, _SHORTEST_SETTING)


def _from_settings(handler: RequestHandler, found: _Collector) -> None:
    found.walk(handler.settings, False)


def _from_headers(handler: RequestHandler, found: _Collector) -> None:
    for name, value in handler.request.headers.get_all():
        if not is_secret_name(name):
            continue
        found.add(value, _SHORTEST_SENT)
        scheme, _, credentials = value.partition(" ")
        if name.lower().endswith("authorization") and credentials:
            found.add(credentials.strip(), _SHORTEST_SENT)
            if scheme.lower() == "basic":
                pair = base64.b64decode(credentials).decode("utf-8", "replace")
                found.add(pair.partition(":")[2], _SHORTEST_SETTING)


def _from_cookies(handler: RequestHandler, found: _Collector) -> None:
    for morsel in handler.request.cookies.values():
        found.add(morsel.value, _SHORTEST_SENT)
        found.add(morsel.coded_value, _SHORTEST_SENT)


def _from_address(handler: RequestHandler, found: _Collector) -> None:
    query = str(handler.request.uri or "").partition("?")[2]
    for pair in query.split("&", _MOST_VALUES)[:_MOST_VALUES]:
        name, _, value = pair.partition("=")
        if value and is_secret_name(unquote_plus(name)):
            found.pairs[pair] = None


def _from_arguments(handler: RequestHandler, found: _Collector) -> None:
    for name, values in handler.request.arguments.items():
        if is_secret_name(name):
            for value in values:
                found.add(value, _SHORTEST_SENT)


def _try(
    part: Callable[[RequestHandler, _Collector], None], handler: RequestHandler, found: _Collector
) -> None:
    # What cannot be read cannot be collected: a malformed body, a request that a test has made up.
    try:
        part(handler, found)
    except Exception:
        pass
