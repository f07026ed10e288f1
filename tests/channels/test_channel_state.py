"""The receivers of a channel, and how history reaches them."""

from __future__ import annotations

import pytest

from tornado.channels import Gap, Message, Page, Position
from tornado.channels._channel_state import ChannelState


class Group:
    """Collects what each receiver gets: offsets, and gaps as pairs of positions."""

    def __init__(self) -> None:
        self.got: dict[str, list[object]] = {}

    def deliver(self, receivers, items):
        for receiver in receivers:
            for item in items:
                gap = isinstance(item, Gap)
                self.got.setdefault(receiver, []).append(
                    (str(item.after), str(item.until)) if gap else item.position and item.position.offset
                )


def message(offset: int, epoch: str = "a") -> Message:
    return Message("c", b"%d" % offset, Position(epoch, offset))


def page(first: int, last: int, *, head: int | None = None, oldest: int = 1, epoch: str = "a") -> Page:
    messages = [message(each, epoch) for each in range(first, last + 1)]
    return Page(Position(epoch, last if head is None else head), oldest, messages)


@pytest.fixture
def state() -> ChannelState:
    """A channel at offset 5, without receivers and without messages in memory."""
    state = ChannelState("c", 3)
    assert state.begin_read() is None
    state.apply(Page(Position("a", 5), 1))
    assert not state.must_read
    return state


def test_receiver_without_position_gets_later_messages(state):
    group = Group()
    state.attach("r", group, None)
    assert not state.must_read
    assert state.receive(message(6))
    assert state.receive(message(7))
    state.flush()
    assert group.got == {"r": [6, 7]}


def test_repeated_messages_are_ignored(state):
    group = Group()
    state.attach("r", group, None)
    state.receive(message(6))
    assert not state.receive(message(6))
    assert not state.receive(message(2))
    state.flush()
    assert group.got == {"r": [6]}
    assert not state.must_read


def test_missing_message_is_read_from_history(state):
    group = Group()
    state.attach("r", group, None)
    assert not state.receive(message(7))
    assert state.must_read
    assert state.begin_read() == Position("a", 5)
    state.apply(page(6, 7))
    assert group.got == {"r": [6, 7]}
    assert not state.must_read


def test_messages_that_history_has_lost_are_a_gap(state):
    group = Group()
    state.attach("r", group, None)
    state.receive(message(9))
    state.begin_read()
    state.apply(page(8, 9, oldest=8))
    assert group.got == {"r": [("a:5", "a:7"), 8, 9]}


def test_new_epoch_is_a_gap(state):
    group = Group()
    state.attach("r", group, None)
    state.receive(message(2, "b"))
    assert state.begin_read() == Position("a", 5)
    state.apply(page(1, 2, epoch="b"))
    assert group.got == {"r": [("a:5", "b:0"), 1, 2]}
    assert state.last == Position("b", 2)


def test_message_received_while_history_is_read(state):
    group = Group()
    state.attach("r", group, None)
    state.receive(message(7))
    state.begin_read()
    state.receive(message(9))
    state.apply(page(6, 7))
    assert state.must_read
    assert state.begin_read() == Position("a", 7)
    state.apply(page(8, 9))
    assert group.got == {"r": [6, 7, 8, 9]}


def test_message_before_first_position_is_known():
    state, group = ChannelState("c", 3), Group()
    state.attach("r", group, None)
    state.begin_read()
    state.receive(message(6))
    state.apply(Page(Position("a", 5), 1))
    assert state.begin_read() == Position("a", 5)
    state.apply(page(6, 6))
    assert group.got == {"r": [6]}


def test_receiver_resumes_from_memory(state):
    group = Group()
    state.attach("r", group, None)
    for offset in (6, 7, 8):
        state.receive(message(offset))
    state.attach("s", group, Position("a", 6))
    assert not state.must_read
    assert group.got == {"r": [6, 7, 8], "s": [7, 8]}


def test_receivers_resume_with_one_read(state):
    group = Group()
    state.attach("r", group, Position("a", 3))
    state.attach("s", group, Position("a", 2))
    state.attach("t", group, Position("a", 5))
    assert state.begin_read() == Position("a", 2)
    state.apply(page(3, 5))
    assert group.got == {"r": [4, 5], "s": [3, 4, 5]}
    assert not state.must_read


def test_long_history_is_read_in_pages(state):
    group = Group()
    state.attach("r", group, Position("a", 1))
    state.begin_read()
    state.apply(page(2, 3, head=5))
    assert state.begin_read() == Position("a", 3)
    state.receive(message(6))
    state.apply(page(4, 5, head=5))
    state.flush()
    assert group.got == {"r": [2, 3, 4, 5, 6]}
    assert not state.must_read


def test_receiver_of_another_epoch_gets_a_gap(state):
    group = Group()
    state.attach("r", group, Position("z", 90))
    assert state.begin_read() == Position("z", 90)
    state.apply(page(3, 5, oldest=3))
    assert group.got == {"r": [("z:90", "a:2"), 3, 4, 5]}


def test_position_that_does_not_exist_is_a_gap(state):
    group = Group()
    state.attach("r", group, Position("a", 99))
    state.begin_read()
    state.apply(page(1, 5))
    assert group.got == {"r": [("a:99", "a:5")]}
    assert not state.must_read
    assert Gap("c", Position("a", 99), Position("a", 5)).missed is None


def test_receiver_ahead_of_a_page_that_was_requested_before(state):
    group = Group()
    state.attach("r", group, Position("a", 1))
    state.begin_read()
    state.attach("s", group, Position("a", 6))
    state.apply(page(2, 5))
    assert group.got == {"r": [2, 3, 4, 5]}
    state.begin_read()
    state.apply(page(6, 6))
    assert not state.must_read
    assert group.got["r"][-1] == 6
    assert "s" not in group.got


def test_ephemeral_messages_are_delivered_to_live_receivers(state):
    group = Group()
    state.attach("r", group, None)
    assert state.receive(Message("c", b"1"))
    state.flush()
    assert group.got == {"r": [None]}


def test_detached_receivers_get_nothing(state):
    group = Group()
    state.attach("r", group, None)
    state.attach("s", group, Position("a", 1))
    assert len(state) == 2
    state.detach("r")
    state.detach("s")
    state.detach("t")
    state.receive(message(6))
    state.flush()
    assert group.got == {}
    assert len(state) == 0
    assert not state.must_read


def test_exception_of_a_group_does_not_reach_others(state, expect_log):
    class Broken(Group):
        def deliver(self, receivers, items):
            raise ZeroDivisionError

    group = Group()
    state.attach("r", Broken(), None)
    state.attach("s", group, None)
    state.receive(message(6))
    with expect_log("tornado.application", "Exception in .*deliver"):
        state.flush()
    assert group.got == {"s": [6]}


def test_live_receivers_and_late_ones_are_served_in_turn(state):
    """Receivers with old positions may come faster than pages are read."""
    group = Group()
    state.attach("live", group, None)
    state.receive(message(1000))  # others are missing before it
    served = []
    for number in range(6):
        state.attach(f"late{number}", group, Position("a", 0))
        served.append(state.begin_read())
        state.is_stale = True  # further messages are missing
    assert set(served) == {Position("a", 0), Position("a", 5)}
    assert served[1:] != served[:-1]


def test_receiver_that_has_waited_longest_is_first(state):
    group = Group()
    state.attach("first", group, Position("a", 700))
    for number in range(10):
        state.attach(f"late{number}", group, Position("a", number))
    assert state.begin_read() == Position("a", 700)
    state.attach("near", group, Position("a", 690))
    assert state.begin_read() == Position("a", 690)


def test_receiver_attached_during_a_delivery_gets_no_message_twice(state):
    class Attaching(Group):
        def deliver(self, receivers, items):
            super().deliver(receivers, items)
            if items[0] == message(6):
                state.attach("other", group, state.last)

    group, attaching = Group(), Attaching()
    state.attach("r", attaching, None)
    state.attach("s", group, None)
    state.receive(message(6))
    state.flush()
    state.receive(message(7))
    state.flush()
    assert attaching.got == {"r": [6, 7]}
    assert group.got == {"s": [6, 7], "other": [7]}


def test_receiver_that_another_attaches_again_continues_at_its_new_position(state):
    class Attaching(Group):
        def deliver(self, receivers, items):
            super().deliver(receivers, items)
            state.attach("other", group, Position("a", 0))

    group, attaching = Group(), Attaching()
    for offset in (6, 7, 8):
        state.receive(message(offset))
    state.attach("other", group, Position("a", 1))
    state.attach("r", attaching, Position("a", 6))
    state.begin_read()
    state.apply(page(2, 8))
    assert attaching.got == {"r": [7, 8]}
    assert "other" not in group.got or group.got["other"] == list(range(2, 9))
    assert state.must_read
    assert state.begin_read() == Position("a", 0)
