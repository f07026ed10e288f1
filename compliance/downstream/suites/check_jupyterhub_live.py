"""Test JupyterHub in a real deployment: behind configurable-http-proxy, with single-user servers and kernels.

The client uses the standard library and websocket-client, so that Tornado is only on the server side. Every
request passes through the proxy.
"""

import http.cookiejar
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
import websocket

#: The timeout in seconds for the hub, a server or a kernel; the machine may be busy.
DEADLINE = 240
TOKEN = "a-token-of-the-test-service"
CONFIGURATION = """
c.JupyterHub.bind_url = "http://127.0.0.1:{public}/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}/"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "secret"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 240
c.JupyterHub.services = [dict(name="test", api_token="{token}")]
c.JupyterHub.load_roles = [
    dict(name="test", services=["test"], scopes=["admin:users", "admin:servers", "access:servers"])
]
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def call(url, method="GET", body=None, opener=None):
    """Send a request with the service's token, or with an opener's cookies instead."""
    headers = {} if opener else {"Authorization": f"token {TOKEN}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    return (opener.open if opener else urllib.request.urlopen)(request, timeout=DEADLINE)


def wait_for(url):
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return call(url).read()
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.5)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    public, private, api = free_ports(3)
    configuration = CONFIGURATION.format(public=public, hub=private, api=api, token=TOKEN)
    (folder / "jupyterhub_config.py").write_text(configuration)
    command = [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(folder)}
        )
    try:
        url = f"http://127.0.0.1:{public}"
        wait_for(f"{url}/hub/health")
        yield url
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        print((folder / "log").read_text())


@pytest.fixture(scope="module")
def server(hub):
    """The URL of a user's running server."""
    call(f"{hub}/hub/api/users/ada", "POST").close()
    call(f"{hub}/hub/api/users/ada/server", "POST").close()
    # The hub reports the progress of a start as server-sent events.
    with call(f"{hub}/hub/api/users/ada/server/progress") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        events = [json.loads(line[6:]) for line in stream if line.startswith(b"data: ")]
    assert events[-1]["ready"], events
    yield f"{hub}{events[-1]['url']}"
    call(f"{hub}/hub/api/users/ada/server", "DELETE").close()


def test_login_with_form_leads_to_spawn_page(hub):
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    call(f"{hub}/hub/login", opener=opener).close()
    xsrf = next(each.value for each in cookies if each.name == "_xsrf")
    form = urllib.parse.urlencode({"username": "grace", "password": "secret", "_xsrf": xsrf}).encode()
    with opener.open(f"{hub}/hub/login?next=%2Fhub%2Ftoken", form, timeout=DEADLINE) as page:
        assert page.url == f"{hub}/hub/token"
        assert b"grace" in page.read()


def test_wrong_password_is_refused(hub):
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    call(f"{hub}/hub/login", opener=opener).close()
    xsrf = next(each.value for each in cookies if each.name == "_xsrf")
    form = urllib.parse.urlencode({"username": "grace", "password": "wrong", "_xsrf": xsrf}).encode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"{hub}/hub/login", form, timeout=DEADLINE)
    assert caught.value.code == 403


def test_server_stores_and_returns_file(server):
    text = "ä" * 200_000
    call(f"{server}api/contents/a.txt", "PUT", {"type": "file", "format": "text", "content": text}).close()
    with call(f"{server}api/contents/a.txt") as answer:
        assert json.load(answer)["content"] == text
    with call(f"{server}files/a.txt") as answer:
        assert answer.read() == text.encode()


def test_kernel_computes_over_websocket(server):
    with call(f"{server}api/kernels", "POST", {"name": "python3"}) as answer:
        kernel = json.load(answer)["id"]
    session = uuid.uuid4().hex
    url = f"{server.replace('http', 'ws', 1)}api/kernels/{kernel}/channels?session_id={session}"
    connection = websocket.create_connection(
        url, timeout=DEADLINE, header=[f"Authorization: token {TOKEN}"], suppress_origin=True
    )
    header = {"msg_id": uuid.uuid4().hex, "session": session, "username": "ada", "version": "5.3"}
    header["msg_type"] = "execute_request"
    content = {"code": "6 * 7", "silent": False, "store_history": True, "user_expressions": {}}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    connection.send(json.dumps({**request, "channel": "shell"}))
    while True:
        message = json.loads(connection.recv())
        ours = message["parent_header"].get("msg_id") == header["msg_id"]
        if ours and message["msg_type"] == "execute_result":
            break
    assert message["content"]["data"]["text/plain"] == "42"
    connection.close()
    call(f"{server}api/kernels/{kernel}", "DELETE").close()


def test_unknown_user_is_not_routed(hub):
    with pytest.raises(urllib.error.HTTPError) as caught:
        call(f"{hub}/user/nobody/api/status")
    assert caught.value.code in {403, 404, 424}
