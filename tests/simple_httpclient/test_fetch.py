"""`Fetch`: its table of phases; `test_client` tests the fetches."""

from __future__ import annotations

from tests.support.states import check_transitions
from tornado.simple_httpclient._fetch import TRANSITIONS, FetchPhase


def test_only_transitions_in_the_table_are_allowed() -> None:
    check_transitions(TRANSITIONS, FetchPhase)
