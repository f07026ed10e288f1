"""What a debug page may not show: by name, and by value wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tornado.web._debug._literal_masking import MASK, mask_addresses, mask_literals
from tornado.web._debug._secret_names import is_secret_name
from tornado.web._debug._secret_values import SecretValues, forms_of

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

# A shorter text is masked where it is a word, not as part of one.
_LONG_ENOUGH = 8
# Text is masked before it is cut, so that no half of a secret is left; this is where it is cut first.
_LONGEST_TEXT = 2**20


class Redactor:
    """The names and the values that are to be masked.

    :param values: texts and bytes that may not appear.
    :param pairs: arguments as they stand in an address, ``name=value``; too short, it may be, to be looked
        for without their names.
    """

    def __init__(self, values: Iterable[str | bytes] = (), pairs: Iterable[str] = ()) -> None:
        self._pairs = _any_of(sorted(pairs, key=len, reverse=True))
        forms: dict[str, None] = {}
        for value in values:
            forms.update(dict.fromkeys(forms_of(value)))
        ordered = sorted(forms, key=len, reverse=True)
        self._forms = [form for form in ordered if len(form) >= _LONG_ENOUGH]
        self._words = _any_of([form for form in ordered if len(form) < _LONG_ENOUGH])

    @classmethod
    def of(cls, handler: RequestHandler) -> Redactor:
        """Those of a handler's application and request."""
        sent = SecretValues.of(handler)
        return cls(sent.values, sent.pairs)

    def hide(self, name: object, value: object, *, variable: bool = False) -> bool:
        """Whether the value of a name is masked.

        What can be no secret is shown: None, a truth value, nothing at all, a function or a class.

        :param variable: the name is a variable of the program, not a key of something.
        """
        if not is_secret_name(name, variable=variable):
            return False
        kind = type(value)
        if kind is str or kind is bytes:
            return bool(value)
        # The type's word counts, not the value's, which is code of the program.
        return not (value is None or kind is bool or issubclass(kind, type) or callable(value))

    def mask(self, text: str) -> str:
        """The text with all secret values masked. What is over a mebibyte is cut off."""
        text = text[:_LONGEST_TEXT]
        if self._pairs is not None:
            text = self._pairs.sub(lambda found: f"{found[0].partition('=')[0]}={MASK}", text)
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK + "\n" * form.count("\n"))
        if self._words is not None:
            text = self._words.sub(MASK, text)
        return mask_addresses(text)

    def mask_source(self, text: str) -> str:
        """A text with source in it, or a repr, also without the literals that secret names are given."""
        return mask_literals(self.mask(text))

    def mask_lines(self, lines: list[str]) -> list[str]:
        """The same for the lines of a source, where a literal may have several."""
        masked = self.mask_source("\n".join(lines)).split("\n")
        return masked if len(masked) == len(lines) else [self.mask_source(line) for line in lines]


def _any_of(texts: list[str]) -> re.Pattern[str] | None:
    """What finds these texts where they are words, and not parts of others."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, texts))})(?!\w)") if texts else None


__all__ = ["MASK", "Redactor", "is_secret_name"]
