"""The settings of connections, and how programs copy them."""

from __future__ import annotations

import copy

from tornado.http1connection import HTTP1ConnectionParameters

UPSTREAM = {
    "no_keep_alive",
    "chunk_size",
    "max_header_size",
    "header_timeout",
    "max_body_size",
    "body_timeout",
    "decompress",
}


class Parameters(HTTP1ConnectionParameters):
    """The parameters of a program, as OctoPrint defines them."""

    def __init__(self, *args, **kwargs):
        self.max_body_sizes = kwargs.pop("max_body_sizes", [])
        super().__init__(*args, **kwargs)

    @classmethod
    def from_stock_params(cls, other):
        return cls(**dict(other.__dict__))


def test_the_dictionary_has_the_arguments_of_upstream():
    assert set(vars(HTTP1ConnectionParameters())) == UPSTREAM


def test_a_subclass_is_made_from_the_dictionary():
    stock = HTTP1ConnectionParameters(chunk_size=7, header_timeout=8, max_body_size=9, decompress=True)
    made = Parameters.from_stock_params(stock)
    assert {name: vars(made)[name] for name in UPSTREAM} == vars(stock)
    assert made.max_body_sizes == []


def test_a_copy_has_the_same_settings():
    stock = HTTP1ConnectionParameters(header_timeout=8)
    made = copy.copy(stock)
    assert vars(made) == vars(stock)
    assert made.head_timeout == stock.head_timeout
    assert made.protection is stock.protection
