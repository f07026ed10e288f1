"""Streamlit: its health check, its page, an upload and a script that runs over its WebSocket."""

import asyncio
import re
import signal
import subprocess
import sys

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect


@pytest.fixture(name="port")
def running_server(tmp_path):
    (tmp_path / "program.py").write_text("import streamlit\nstreamlit.write('hello from the script')\n")
    options = ["--server.headless=true", "--server.port=0", "--server.address=127.0.0.1"]
    options += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    command = [sys.executable, "-u", "-m", "streamlit", "run", "program.py", *options]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        yield int(found[1])
        process.send_signal(signal.SIGTERM)
        process.stdout.read()


def test_streamlit(port):
    async def main():
        http, base = AsyncHTTPClient(), f"127.0.0.1:{port}"
        assert (await http.fetch(f"http://{base}/_stcore/health")).body == b"ok"
        page = await http.fetch(f"http://{base}/")
        assert b"Streamlit" in page.body
        socket = await websocket_connect(f"ws://{base}/_stcore/stream", subprotocols=["streamlit"])
        message = BackMsg()
        message.rerun_script.query_string = ""
        await socket.write_message(message.SerializeToString(), binary=True)
        received = b""
        while b"hello from the script" not in received:
            received += await asyncio.wait_for(socket.read_message(), 60)
        socket.close()

    asyncio.run(main())
