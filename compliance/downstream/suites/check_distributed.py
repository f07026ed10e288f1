"""Test the comms of Dask's distributed scheduler over TCP, TLS and WebSocket, and its HTTP servers."""

import asyncio

import pytest
from distributed import Client, LocalCluster, Nanny, Scheduler, Security, Worker
from distributed.comm import connect, listen

from tornado.httpclient import AsyncHTTPClient

LARGE = 16 * 1024 * 1024


async def _echo(comm):
    try:
        while True:
            await comm.write(await comm.read())
    except OSError:
        comm.abort()


@pytest.mark.parametrize("scheme", ["tcp", "tls", "ws"])
def test_comm_echoes_small_large_and_many_messages(scheme):
    async def main():
        security = Security.temporary() if scheme == "tls" else Security()
        listener = await listen(f"{scheme}://127.0.0.1:0", _echo, **security.get_listen_args("scheduler"))
        comm = await connect(listener.contact_address, **security.get_connection_args("client"))
        for payload in (b"x", b"y" * LARGE, bytearray(b"z" * 70_000)):
            await comm.write({"op": "echo", "data": payload})
            assert (await comm.read())["data"] == payload
        for number in range(200):
            await comm.write({"number": number})
        assert [(await comm.read())["number"] for _ in range(200)] == list(range(200))
        await comm.close()
        listener.stop()

    asyncio.run(main())


@pytest.mark.parametrize("protocol", ["tcp", "tls", "ws"])
def test_cluster_computes_and_moves_data_between_workers(protocol):
    async def main():
        security = Security.temporary() if protocol == "tls" else Security()
        options = {"protocol": protocol, "security": security, "dashboard_address": ":0"}
        async with Scheduler(host="127.0.0.1", port=0, **options) as scheduler:
            names = {
                "protocol": protocol,
                "security": security,
                "dashboard_address": ":0",
                "host": "127.0.0.1",
            }
            async with (
                Worker(scheduler.address, **names) as first,
                Worker(scheduler.address, **names) as second,
                Client(scheduler.address, asynchronous=True, security=security) as client,
            ):
                assert await client.gather(client.map(lambda n: n * n, range(50))) == [
                    n * n for n in range(50)
                ]
                (data,) = await client.scatter([b"d" * LARGE], workers=[first.address])
                assert await client.submit(len, data, workers=[second.address]) == LARGE
                failed = client.submit(lambda: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    await failed

    asyncio.run(main())


def test_worker_in_a_process_of_its_own():
    async def main():
        async with (
            Scheduler(host="127.0.0.1", port=0, dashboard_address=":0") as scheduler,
            Nanny(scheduler.address, nthreads=1, dashboard_address=":0") as nanny,
            Client(scheduler.address, asynchronous=True) as client,
        ):
            assert await client.submit(sum, [1, 2, 3]) == 6
            assert list(scheduler.workers) == [nanny.worker_address]

    asyncio.run(main())


def test_http_servers_of_scheduler_and_worker():
    async def main():
        async with LocalCluster(
            n_workers=1, processes=False, asynchronous=True, dashboard_address="127.0.0.1:0"
        ) as cluster:
            server = cluster.scheduler.http_server
            port = server.port
            http = AsyncHTTPClient()
            pages = [
                "health",
                "info/main/workers.html",
                "json/counts.json",
                "metrics",
                "status",
            ]
            answers = {
                page: (await http.fetch(f"http://127.0.0.1:{port}/{page}", raise_error=False)).code
                for page in pages
            }
            assert answers == dict.fromkeys(pages, 200)

    asyncio.run(main())
