"""Tests of the masking keys for frames of clients."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tornado.websocket import _masking_keys


def test_keys_do_not_share_random_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key consists of four random bytes that no other key uses."""
    given = []

    def urandom(size: int) -> bytes:
        given.append(bytes(number % 256 for number in range(size)))
        return given[-1]

    _masking_keys._keys.clear()
    monkeypatch.setattr(os, "urandom", urandom)
    count = _masking_keys._KEYS_PER_CALL * 2
    masks = sorted(_masking_keys.next_masking_key() for _ in range(count))
    assert masks == sorted(block[at : at + 4] for block in given for at in range(0, len(block), 4))
    assert len(given) == 2
    assert _masking_keys._keys == []


def test_child_process_does_not_use_keys_of_its_parent() -> None:
    program = """
import os
from tornado.websocket import _masking_keys

_masking_keys.next_masking_key()
before = len(_masking_keys._keys)
child = os.fork()
if child == 0:
    os._exit(len(_masking_keys._keys))
assert os.waitpid(child, 0)[1] == 0
assert len(_masking_keys._keys) == before > 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
