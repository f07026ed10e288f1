"""Tests of the phases of an incoming message (`ws_message`); `test_ws_connection` tests the decoding."""

import pytest

from tests.support.states import check_transitions
from tornado._wire.state_machine import InvalidTransition
from tornado._wire.ws_deflate import Inflater
from tornado._wire.ws_frames import FIN
from tornado._wire.ws_message import TRANSITIONS, IncomingMessage, MessagePhase


def test_only_transitions_in_the_table_are_allowed():
    check_transitions(TRANSITIONS, MessagePhase)


def test_phases_of_a_fragmented_message():
    message = IncomingMessage(False, None, 100)
    assert (message.phase, message.in_frame) == (MessagePhase.HEADER, False)
    message.begin_frame(0x02, 1, b"")
    assert (message.phase, message.in_frame) == (MessagePhase.PAYLOAD, True)
    assert message.take(b"a", 0) == 1
    assert not message.end_frame()
    assert (message.phase, message.in_frame) == (MessagePhase.HEADER, False)
    message.begin_frame(FIN, 0, b"")
    assert message.end_frame()
    assert (message.phase, message.in_frame) == (MessagePhase.COMPLETE, False)
    assert message.value() == b"a"


def test_end_of_compressed_data_is_a_phase():
    message = IncomingMessage(False, Inflater(15), 100)
    message.begin_frame(FIN | 0x42, 1, b"")
    message.take(b"\0", 0)
    while message.backlog:
        message.inflate(100)
    assert not message.end_frame()
    assert (message.phase, message.in_frame, message.backlog) == (MessagePhase.TAIL, True, True)
    while message.backlog:
        message.inflate(100)
    assert message.end_frame()
    assert message.value() == b""


def test_frame_inside_a_frame_is_rejected():
    message = IncomingMessage(False, None, 100)
    message.begin_frame(0x02, 1, b"")
    with pytest.raises(InvalidTransition, match="MessagePhase.PAYLOAD does not permit"):
        message.begin_frame(0x00, 1, b"")
