"""A small version of `compliance.asgi.disconnects`: every application with every client, with two delays."""

from __future__ import annotations

import pytest

from compliance.asgi.careless_applications import CORRECT, FAULTY
from compliance.asgi.disconnects import CLIENTS, cases, find_faults, sweep


async def broken(scope, receive, send):
    await receive()
    raise ValueError("fault")


@pytest.mark.parametrize("delay", [0, 4])
async def test_clients_that_leave_early_cause_no_faults(delay, loop_kind, expect_log):
    with expect_log("tornado.application", "ASGI application"):  # of the faulty applications
        count, faults = await sweep((delay,), None)
    assert not faults
    assert count == sum(
        len(applications[kind]) * len(CLIENTS[kind]) for applications in (CORRECT, FAULTY) for kind in CLIENTS
    )


async def test_sweep_detects_an_unexpected_log_record(expect_log):
    with expect_log("tornado.application", "Uncaught exception in the ASGI application"):
        faults = await find_faults(broken, CLIENTS["http"]["read_a_little"], 2, None, False)
    assert len(faults) == 1


def test_titles_are_unique():
    titles = [title for title, *_ in cases()]
    assert len(titles) == len(set(titles))
