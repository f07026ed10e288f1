"""Target: responses, compared with h11 and llhttp.

Our reader must not accept a response that both reject, and must parse every response as they do. An input
whose first byte is even is the message itself; otherwise it selects a message from the grammar.
"""

from fuzz.support.choices import Choices
from fuzz.support.differences import compare
from fuzz.support.grammar import responses
from tornado._wire.h1 import Role


def TestOneInput(data: bytes) -> None:
    """Compare the three parsers."""
    if data[:1] and data[0] & 1:
        compare(responses(Choices(data[1:])), Role.CLIENT)
    else:
        compare(data[1:], Role.CLIENT)
