from __future__ import annotations

import asyncio

import pytest


def test_advance(clock):
    before = clock()
    clock.advance(1.5)
    assert clock() == before + 1.5
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)


async def test_loop_with_fake_clock_does_not_wait(clock):
    before = clock()
    await asyncio.sleep(86_400)
    assert clock() - before == pytest.approx(86_400)


async def test_timeout_with_fake_clock(clock):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()


async def test_input_is_processed_before_clock_advances(clock):
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


async def test_loop_kind(loop_kind):
    module = type(asyncio.get_running_loop()).__module__
    assert module.split(".")[0] == loop_kind
