"""Responses as we, h11 and llhttp read them: we take nothing that both refuse, nor in a way of our own.

An input whose first byte is even is the message itself; otherwise it decides on a message of the grammar.
"""

from fuzz.support.choices import Choices
from fuzz.support.differences import compare
from fuzz.support.grammar import responses
from tornado._wire.h1 import Role


def TestOneInput(data: bytes) -> None:
    """Compare the three readers."""
    if data[:1] and data[0] & 1:
        compare(responses(Choices(data[1:])), Role.CLIENT)
    else:
        compare(data[1:], Role.CLIENT)
