"""Target: requests, compared with h11 and llhttp.

Our reader must not accept a request that both reject, and must parse every request as they do. An input whose
first byte is even is the message itself; otherwise it selects a message from the grammar.
"""

from fuzz.support.choices import Choices
from fuzz.support.differences import compare
from fuzz.support.grammar import requests
from tornado._wire.h1 import Role


def TestOneInput(data: bytes) -> None:
    """Compare the three parsers."""
    if data[:1] and data[0] & 1:
        compare(requests(Choices(data[1:])), Role.SERVER)
    else:
        compare(data[1:], Role.SERVER)
