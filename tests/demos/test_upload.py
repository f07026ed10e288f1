from __future__ import annotations

import http.client
import importlib.util
import json
import re
import signal
from collections.abc import Iterator

import pytest

from tests.support.program import ROOT, Program

LIMIT = 20_000_000
LARGE = bytes(range(256)) * 8000


@pytest.fixture
def program(tmp_path) -> Iterator[Program]:
    arguments = ["--port={port}", f"--folder={tmp_path}", f"--limit={LIMIT}"]
    with Program("demos/upload/main.py", arguments) as running:
        yield running
        assert "Traceback" not in running.output()


class Visitor:
    """A browser without scripts, or with scripts if ``script`` is true."""

    def __init__(self, program: Program) -> None:
        self.connection = program.connect()
        status, head, page = self.ask("GET", "/")
        assert status == 200
        self.cookie = head["Set-Cookie"].partition(";")[0]
        found = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert found is not None
        self.token = found[1]

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: bytes | None = None, **fields: str):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.headers, response.read().decode("latin-1")

    def upload(self, *files: tuple[str, bytes], script: bool = False, path: str = "/upload"):
        disposition = b'--xx\r\nContent-Disposition: form-data; name="'
        body = disposition + b'_xsrf"\r\n\r\n' + self.token.encode() + b"\r\n"
        for name, content in files:
            body += disposition + b'file"; filename="' + name.encode() + b'"\r\n\r\n' + content + b"\r\n"
        return self.ask(
            "POST",
            path,
            body + b"--xx--\r\n",
            Cookie=self.cookie,
            Accept="application/json" if script else "text/html",
            Content_Type="multipart/form-data; boundary=xx",
        )

    def listed(self) -> list[tuple[str, str, str]]:
        """Return the URL, name and size of each file on the page."""
        page = self.ask("GET", "/", Cookie=self.cookie)[2]
        return re.findall(r'<li><a href="([^"]*)" download>([^<]*)</a> <span>([^<]*)</span>', page)


def test_files_are_listed_and_downloaded(program, tmp_path):
    with Visitor(program) as ann:
        assert ann.listed() == []
        status, head, _ = ann.upload(("a.txt", b"hello"), ("b.bin", LARGE))
        assert (status, head["Location"]) == (303, "/")
        assert sorted(name for _, name, _ in ann.listed()) == ["a.txt", "b.bin"]
        assert ("/files/a.txt", "a.txt", "5 bytes") in ann.listed()
        status, head, body = ann.ask("GET", "/files/b.bin")
        assert (status, body.encode("latin-1")) == (200, LARGE)
        assert head["Content-Disposition"] == "attachment"
        assert head["X-Content-Type-Options"] == "nosniff"
    assert list((tmp_path / "incoming").iterdir()) == []


def test_script_receives_the_list(program):
    with Visitor(program) as ann:
        status, _, body = ann.upload(("<b>.txt", b"1"), script=True)
        assert status == 200
        assert ">_b_.txt</a>" in json.loads(body)["html"]


def test_duplicate_names_are_numbered(program):
    with Visitor(program) as ann:
        ann.upload(("a.txt", b"1"), ("a.txt", b"2"))
        ann.upload(("a.txt", b"3"))
        assert {name for _, name, _ in ann.listed()} == {"a.txt", "a (2).txt", "a (3).txt"}
        assert ann.ask("GET", "/files/a%20(3).txt")[2] == "3"


def test_too_large_upload_is_refused_with_a_message(program, tmp_path):
    with Visitor(program) as ann:
        status, _, page = ann.upload(("a.bin", bytes(LIMIT)))
        assert status == 413
        assert 'role="alert">The upload is too large: the limit is 20.0 MB.<' in page
    with Visitor(program) as ann:
        status, _, body = ann.upload(("a.bin", bytes(LIMIT)), script=True)
        assert status == 413
        assert json.loads(body) == {"error": "The upload is too large: the limit is 20.0 MB."}
        assert list((tmp_path / "incoming").iterdir()) == []


def test_upload_without_xsrf_token_stores_nothing(program, tmp_path):
    with Visitor(program) as ann:
        ann.token = ""
        assert ann.upload(("a.txt", b"1"))[0] == 403
        assert list((tmp_path / "files").iterdir()) == []


def test_malformed_form_gets_a_response(program):
    with Visitor(program) as ann:
        kind = "multipart/form-data; boundary=xx"
        status, _, page = ann.ask("POST", "/upload", b"nonsense", Cookie=ann.cookie, Content_Type=kind)
        assert status == 400
        assert "The upload failed: Bad Request." in page


def test_progress_events(program):
    with Visitor(program) as ann, Visitor(program) as watcher:
        watcher.connection.request("GET", "/progress/1a2b")
        events: http.client.HTTPResponse = watcher.connection.getresponse()
        assert events.headers["Content-Type"] == "text/event-stream"
        ann.upload(("a.bin", LARGE), path="/upload?upload=1a2b")
        told = events.read().decode().split("\n\n")
        assert told[-2:] == ["event: done\ndata: null", ""]
        received, total = json.loads(told[-3].removeprefix("data: "))
        assert received == total > len(LARGE)


def test_aborted_upload_is_removed_from_progress(program):
    with Visitor(program) as ann, Visitor(program) as watcher:
        watcher.connection.request("GET", "/progress/1a2b")
        events = watcher.connection.getresponse()
        form = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + LARGE
        ann.connection.putrequest("POST", "/upload?upload=1a2b")
        ann.connection.putheader("Cookie", ann.cookie)
        ann.connection.putheader("X-Xsrftoken", ann.token)
        ann.connection.putheader("Content-Type", "multipart/form-data; boundary=xx")
        ann.connection.putheader("Content-Length", str(len(form) + 1000))
        ann.connection.endheaders(form)
        assert events.readline().startswith(b"data: [")
        ann.connection.close()
        assert events.read().endswith(b"event: done\ndata: null\n\n")


def test_invalid_upload_id_has_no_progress(program):
    with Visitor(program) as ann:
        for number in ("x", "1" * 41, "1%0a", ""):
            assert ann.upload(("a.txt", b"1"), path=f"/upload?upload={number}")[0] == 303
            assert ann.ask("GET", f"/progress/{number}")[0] == 404


def test_closed_event_stream_is_removed(program):
    with Visitor(program) as ann:
        with Visitor(program) as watcher:
            watcher.connection.request("GET", "/progress/1a2b")
            assert watcher.connection.getresponse().status == 200
        assert ann.upload(("a.txt", b"1"))[0] == 303


def load():
    spec = importlib.util.spec_from_file_location("demo_upload", ROOT / "demos/upload/main.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    source = (ROOT / "demos/upload/main.py").read_text()
    # Remove the definitions of options, because an option can be defined only once per process.
    exec(compile(re.sub(r"(?m)^define\(.*$", "", source), "main.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\Ann\cv.pdf", "cv.pdf"),
        ("..", "file"),
        ("", "file"),
        (".htaccess", "htaccess"),
        ("a\x00b\n.txt", "a_b_.txt"),
        ('<a href="x">.html', "_a href=_x__.html"),
        ("grüße.tar.gz", "grüße.tar.gz"),
        ("x" * 500 + ".jpeg", "x" * 180 + ".jpeg"),
        ("ü" * 500, "ü" * 90),
        ("x." + "y" * 300, ("x." + "y" * 300)[:180]),
    ],
)
def test_names_are_safe(given, name):
    assert load().safe_name(given) == name


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 KB"), (20_000_000, "20.0 MB"), (10**16, "10000.0 TB")],
)
def test_formatted_sizes(size, words):
    assert load().format_size(size) == words


def test_temporary_files_are_removed_at_exit(tmp_path):
    with Program("demos/upload/main.py", environment={"TMPDIR": str(tmp_path)}) as running:
        assert list(tmp_path.glob("uploads-*"))
        process = running.process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert list(tmp_path.iterdir()) == []
