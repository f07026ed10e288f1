"""Masking of secrets on a debug page: values with secret names, and known secrets anywhere in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tornado.web._redaction._literal_masking import MASK, mask_literals, mask_urls
from tornado.web._redaction._secret_names import is_secret_name
from tornado.web._redaction._secret_values import SecretValues, forms_of

if TYPE_CHECKING:
    from tornado.web._interfaces import HandlerInterface

# A value with fewer characters is masked only where it is a whole word.
_MIN_PART_LENGTH = 8
# Text is masked before it is truncated for display, because a truncated secret would not be found. This
# limit, in characters, is applied before masking.
_MAX_TEXT_LENGTH = 2**20


class Redactor:
    """The secret names and values to mask.

    :param values: the secrets, as text or bytes.
    :param pairs: secret arguments in the form ``name=value`` used in URLs. Their values may be too short to
        be searched for without the name.
    """

    def __init__(self, values: Iterable[str | bytes] = (), pairs: Iterable[str] = ()) -> None:
        self._pairs = _words_pattern(sorted(pairs, key=len, reverse=True))
        forms: dict[str, None] = {}
        for value in values:
            forms.update(dict.fromkeys(forms_of(value)))
        ordered = sorted(forms, key=len, reverse=True)
        self._forms = [form for form in ordered if len(form) >= _MIN_PART_LENGTH]
        self._words = _words_pattern([form for form in ordered if len(form) < _MIN_PART_LENGTH])

    @classmethod
    def of(cls, handler: HandlerInterface) -> Redactor:
        """Return a redactor for the secrets of a handler's application and request."""
        sent = SecretValues.of(handler)
        return cls(sent.values, sent.pairs)

    def hide(self, name: object, value: object, *, variable: bool = False) -> bool:
        """Whether to mask a value because of its name.

        Values that cannot be secrets are not masked: None, booleans, empty strings, functions and classes.

        :param variable: whether the name is a variable of the program, not a key or the name of a field.
        """
        if not is_secret_name(name, variable=variable):
            return False
        kind = type(value)
        if kind is str or kind is bytes:
            return bool(value)
        # The type is examined without calling code of the program, such as __class__ or __bool__.
        return not (value is None or kind is bool or issubclass(kind, type) or callable(value))

    def mask(self, text: str) -> str:
        """Mask all secret values in `text`. Only its first 2**20 characters are kept.

        Lone surrogates, which represent file names that are not UTF-8, are escaped.
        """
        text = text[:_MAX_TEXT_LENGTH].encode("utf-8", "backslashreplace").decode()
        if self._pairs is not None:
            text = self._pairs.sub(lambda found: f"{found[0].partition('=')[0]}={MASK}", text)
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK + "\n" * form.count("\n"))
        if self._words is not None:
            text = self._words.sub(MASK, text)
        return mask_urls(text)

    def mask_source(self, text: str) -> str:
        """Mask secret values, and literals assigned to secret names, in source code or a repr."""
        return mask_literals(self.mask(text))

    def mask_lines(self, lines: list[str]) -> list[str]:
        """Mask a list of source lines as `mask_source` does. A literal may span several of them."""
        masked = self.mask_source("\n".join(lines)).split("\n")
        return masked if len(masked) == len(lines) else [self.mask_source(line) for line in lines]


def _words_pattern(texts: list[str]) -> re.Pattern[str] | None:
    """Return a pattern that matches these strings as whole words."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, texts))})(?!\w)") if texts else None


__all__ = ["MASK", "Redactor", "is_secret_name"]
