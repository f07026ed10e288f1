"""Test Streamlit: its health check, its page and a script that runs over its WebSocket."""

import asyncio
import signal
import socket
import subprocess
import sys

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect


@pytest.fixture(name="port")
def running_server(tmp_path):
    (tmp_path / "program.py").write_text("import streamlit\nstreamlit.write('hello from the script')\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1"]
    options += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    command = [sys.executable, "-u", "-m", "streamlit", "run", "program.py", *options]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if f"http://127.0.0.1:{port}" in line:
                break
        yield port
        process.send_signal(signal.SIGTERM)
        process.stdout.read()


def test_streamlit(port):
    async def main():
        http, base = AsyncHTTPClient(), f"127.0.0.1:{port}"
        assert (await http.fetch(f"http://{base}/_stcore/health")).body == b"ok"
        page = await http.fetch(f"http://{base}/")
        assert b"Streamlit" in page.body
        connection = await websocket_connect(f"ws://{base}/_stcore/stream", subprotocols=["streamlit"])
        message = BackMsg()
        message.rerun_script.query_string = ""
        await connection.write_message(message.SerializeToString(), binary=True)
        received = b""
        while b"hello from the script" not in received:
            received += await asyncio.wait_for(connection.read_message(), 60)
        connection.close()

    asyncio.run(main())
