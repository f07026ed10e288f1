from __future__ import annotations

import ast
import csv
import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlencode

import pytest

from tests.demos.boards import (
    FIELDS,
    HOSTILE,
    Board,
    Reader,
    board_on_mariadb,
    board_on_sqlite,
    error_of,
    link,
    texts,
)
from tests.seeds.client import Visitor
from tests.support.databases import PASSWORD
from tests.support.program import ROOT, Program

DEMO = ROOT / "demos/board"


@pytest.fixture(params=["sqlite", "mariadb"])
def board(request, tmp_path) -> Iterator[Board]:
    """A new, empty board on each database."""
    if request.param == "sqlite":
        running = board_on_sqlite(tmp_path / "board", "--page=3")
    else:
        running = board_on_mariadb(request.getfixturevalue("mariadb"), "--page=3")
    with running as board:
        yield board


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> Iterator[Board]:
    """A board for tests that store nothing."""
    with board_on_sqlite(tmp_path_factory.mktemp("board") / "quiet") as board:
        yield board
        assert board.rows() == []


def number_of(answer) -> int:
    found = re.fullmatch(r"/(?:\?before=\d+)?#m(\d+)", answer.headers["Location"])
    assert found is not None
    return int(found[1])


# -- writing --


def test_message_is_stored_unchanged(board):
    ann = Reader(board)
    for number, each in enumerate(HOSTILE, 1):
        answer = ann.write(**{name: text.replace("\n", "\r\n") for name, text in each.items()})
        assert (answer.code, answer.headers["Location"]) == (303, f"/#m{number}")
    expected = [tuple(each[field].strip() for field in FIELDS) for each in HOSTILE]
    assert board.rows() == expected
    shown = ann.texts() + ann.texts("/?before=3")
    assert shown == [each[3] for each in reversed(expected)]


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"name": "  Ann \n Lee  "}, ("Ann   Lee", "", "", "hello")),
        ({"name": "a\0b\x1bc", "message": "a\0b"}, ("a b c", "", "", "a b")),
        ({"message": "\r\na\rb\r\nc\n\n"}, ("Ann", "", "", "a\nb\nc")),
        ({"unknown": "x", "id": "7"}, ("Ann", "", "", "hello")),
    ],
)
def test_control_characters_are_replaced(tmp_path, fields, stored):
    with board_on_sqlite(tmp_path / "board") as board:
        assert Reader(board).write(**fields).code == 303
        assert board.rows() == [stored]


@pytest.mark.parametrize(
    ("field", "text", "error"),
    [
        ("name", "", "Please fill in this field."),
        ("name", " \u200b\u2066 ", "Please fill in this field."),
        ("message", "\r\n", "Please fill in this field."),
        ("name", "😀" * 81, "At most 80 characters fit here; these are 81."),
        ("email", "a" * 253 + "@b", "At most 254 characters fit here; these are 255."),
        ("address", "a" * 201, "At most 200 characters fit here; these are 201."),
        ("message", "<&\n" + "a" * 3998, "At most 4000 characters fit here; these are 4001."),
        ("message", "a" * 200_000, "At most 4000 characters fit here; these are 200000."),
        ("email", "ann", "An e-mail address looks like ann@example.org."),
        ("email", "@", "An e-mail address looks like ann@example.org."),
        ("email", "ann lee@example.org", "An e-mail address looks like ann@example.org."),
        ("email", "a@b@c", "An e-mail address looks like ann@example.org."),
    ],
)
def test_invalid_field_is_marked_and_the_form_is_kept(quiet, field, text, error):
    given = {"name": "Ann", "email": "", "address": "<street>", "message": "hello", field: text}
    answer = Reader(quiet).write(**given)
    assert answer.code == 400
    assert error_of(answer.text, field) == error
    assert [name for name in FIELDS if error_of(answer.text, name)] == [field]
    assert 'value="&lt;street&gt;"' in answer.text or field == "address"
    assert text.strip().replace("&", "&amp;").replace("<", "&lt;") in answer.text
    assert answer.text.count("autofocus") == answer.text.count('aria-invalid="true"') == 1


def test_very_large_form_is_refused(quiet):
    assert Reader(quiet).write(message="a" * 1_100_000).code == 413


def test_invalid_utf_8_is_refused(quiet):
    reader = Reader(quiet)
    body = urlencode({"_xsrf": reader.token, "name": "Ann"}).encode() + b"&message=%ff%fe"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert reader.request("POST", "/", body, kind).code == 400


@pytest.mark.parametrize("path", ["/", "/messages/1", "/messages/1/delete"])
@pytest.mark.parametrize("token", [None, "", "2|a|b|c", "x"])
def test_form_without_valid_xsrf_token_is_refused(quiet, path, token):
    reader = Reader(quiet)
    fields = {"name": "Ann", "message": "forged"} | ({} if token is None else {"_xsrf": token})
    answer = reader.post(path, **fields)
    assert answer.code == 403
    assert "This form has expired" in answer.text


# -- reading --


def test_paging_forward_and_backward(board):
    ann = Reader(board)
    for number in range(1, 9):
        ann.write(message=f"no. {number}")
    first = ann.get().text
    assert texts(first) == ["no. 8", "no. 7", "no. 6"]
    assert "← Newer" not in first
    second = ann.get(link(first, "Older →")).text
    assert texts(second) == ["no. 5", "no. 4", "no. 3"]
    third = ann.get(link(second, "Older →")).text
    assert texts(third) == ["no. 2", "no. 1"]
    assert "Older →" not in third
    ann.write(message="in between")
    back = ann.get(link(third, "← Newer")).text
    assert texts(back) == texts(second)
    assert texts(ann.get(link(back, "← Newer")).text) == texts(first)
    assert ann.get(link(ann.get(link(back, "← Newer")).text, "← Newer")).headers["Location"] == "/"
    assert ann.texts(link(third, "Newest"))[0] == "in between"


@pytest.mark.parametrize(
    "path",
    [
        "/?before=x",
        "/?after=-1",
        "/?before=" + "9" * 19,
        "/messages/9",
        "/messages/x",
        "/messages/" + "9" * 19,
        "/nowhere",
        "/language/xx",
        "/static/../main.py",
    ],
)
def test_unknown_path_is_not_found(quiet, path):
    answer = Visitor(quiet.program).get(path)
    assert answer.code in (403, 404)
    if "/static/" not in path:
        assert "Page not found" in answer.text


def test_page_whose_messages_were_deleted(quiet):
    assert "There are no older messages." in Visitor(quiet.program).get("/?before=5").text
    assert "Nothing here yet." in Visitor(quiet.program).get().text


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/board.css"])
def test_security_headers_on_every_response(quiet, path):
    headers = Visitor(quiet.program).get(path).headers
    policy = headers["Content-Security-Policy"]
    for each in ("default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert each in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_cookies_are_http_only(board):
    ann = Reader(board)
    cookies = ann.get().headers.get_all("Set-Cookie") or []
    cookies += ann.write().headers.get_all("Set-Cookie") or []
    assert any(each.startswith("author=") for each in cookies)
    for each in cookies:
        assert "HttpOnly" in each
        assert "SameSite=Lax" in each


# -- own messages --


def test_author_can_edit_and_delete(board):
    ann = Reader(board)
    numbers = [number_of(ann.write(message=text)) for text in ("one", "two", "three")]
    form = ann.get(f"/messages/{numbers[1]}").text
    assert 'value="Ann"' in form
    assert "\ntwo</textarea>" in form
    answer = ann.write(f"/messages/{numbers[1]}", name="Ann L.", email="ann@example.org", message="deux")
    assert answer.code == 303
    assert number_of(answer) == numbers[1]
    assert board.rows()[1] == ("Ann L.", "ann@example.org", "", "deux")
    assert texts(ann.get(answer.headers["Location"].partition("#")[0]).text) == ["deux", "one"]
    assert ann.get().text.count("· edited") == 1
    # The same text once more is not an error, though nothing changes in the database.
    assert (
        ann.write(f"/messages/{numbers[1]}", name="Ann L.", email="ann@example.org", message="deux").code
        == 303
    )
    wrong = ann.write(f"/messages/{numbers[1]}", message="")
    assert wrong.code == 400
    assert f'action="/messages/{numbers[1]}"' in wrong.text
    answer = ann.delete(numbers[1])
    assert (answer.code, answer.headers["Location"]) == (303, "/")
    assert ann.texts() == ["three", "one"]
    for answer in (
        ann.delete(numbers[1]),
        ann.get(f"/messages/{numbers[1]}"),
        ann.write(f"/messages/{numbers[1]}"),
    ):
        assert answer.code == 404


def test_others_cannot_edit_or_delete(board):
    ann, bob, stranger = Reader(board), Reader(board), Reader(board)
    number = number_of(ann.write(message="Ann's"))
    bob.write(message="Bob's")
    stranger.cookies["author"] = ann.cookies["author"][:-1] + "0"  # Ann's cookie with a wrong signature
    for other in (bob, stranger):
        page = other.get().text
        assert f'href="/messages/{number}"' not in page
        for answer in (
            other.get(f"/messages/{number}"),
            other.write(f"/messages/{number}", message="mine"),
            other.write(f"/messages/{number}", message=""),
            other.delete(number),
        ):
            assert answer.code == 403
            assert "Someone else wrote this message" in answer.text
    assert [row[3] for row in board.rows()] == ["Ann's", "Bob's"]


def test_message_numbers_are_not_reused(board):
    ann = Reader(board)
    ann.write()
    last = number_of(ann.write())
    ann.delete(last)
    assert number_of(ann.write()) == last + 1


def test_concurrent_writers(board):
    people = [Reader(board) for _ in range(8)]
    for person in people[:4]:
        person.write(message="first")
    names = [f"{number}" for number in range(12)]

    def write(number: int) -> list[int]:
        return [number_of(people[number].write(name=f"{number}", message=name)) for name in names]

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(write, range(8)))
    flat = [each for some in numbers for each in some]
    assert len(set(flat)) == 96
    stored = sorted(row[:1] + row[3:] for row in board.rows() if row[3] != "first")
    assert stored == sorted((f"{number}", name) for number in range(8) for name in names)
    for person, own in zip(people, numbers, strict=True):
        assert person.get(f"/messages/{own[0]}").code == 200
    assert people[0].get(f"/messages/{numbers[1][0]}").code == 403


# -- languages --


def test_language_of_browser_and_chosen_language(quiet):
    visitor = Visitor(quiet.program)
    assert '<html lang="en-US">' in visitor.get().text
    chinese = visitor.get("/", **{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}).text
    assert '<html lang="zh-CN">' in chinese
    assert "写留言" in chinese
    assert visitor.get("/language/zh_CN").headers["Location"] == "/"
    assert "写留言" in visitor.get("/", **{"Accept-Language": "en"}).text
    assert "这里什么也没有" in visitor.get("/nowhere").text
    visitor.cookies["language"] = "../../x"
    assert "Write a message" in visitor.get().text


def test_times_and_errors_in_chinese(board):
    ann = Reader(board)
    ann.write(email="no", message="x")
    assert (
        "邮箱的格式应如"
        in ann.request(
            "POST",
            "/",
            urlencode({"_xsrf": ann.token, "email": "no"}).encode(),
            {"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "zh-CN"},
        ).text
    )
    ann.write()
    page = ann.get("/", **{"Accept-Language": "zh-CN"}).text
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" title="\d{4}年\d+月\d+日 .午\d', page)
    assert re.search(r">\d 秒前<", page)


def test_everything_is_translated():
    with (DEMO / "translations/zh_CN.csv").open(newline="", encoding="utf-8") as file:
        known = {row[0] for row in csv.reader(file)}
    pages = "".join(path.read_text() for path in (DEMO / "templates").iterdir())
    texts = set(re.findall(r'_\("([^"]+)"\)', pages))
    texts |= set(re.findall(r'translate\("([^"]+)"\)', (DEMO / "messages.py").read_text()))
    texts |= set(re.findall(r'Field\("\w+", "([^"]+)"', (DEMO / "messages.py").read_text()))
    for node in ast.parse((DEMO / "handlers.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("ERRORS", "OTHER", "NOT_SAVED"):
            value = ast.literal_eval(node.value)
            pairs = (
                value.values()
                if isinstance(value, dict)
                else [value if isinstance(value, tuple) else (value,)]
            )
            texts |= {text for pair in pairs for text in pair}
    assert len(texts) > 35
    assert texts - known == set()


# -- the database --


def test_connections_are_reused_and_closed(mariadb):
    with board_on_mariadb(mariadb) as board:
        reader = Reader(board)

        def connections() -> int:
            return int(mariadb.run("SHOW STATUS LIKE 'Connections'")[0][1])

        before = connections()
        for _ in range(20):
            assert reader.write().code == 303
            assert reader.get().code == 200
        assert connections() - before == 1  # the connection of this query itself
        name = board.select("SELECT DATABASE()")[0][0]
    # The server would log connections that were not closed properly.
    assert f"to db: '{name}'" not in mariadb.output()


def test_database_restart(mariadb):
    with board_on_mariadb(mariadb) as board:
        ann = Reader(board)
        number = number_of(ann.write(message="before"))
        mariadb.stop()
        try:
            answer = ann.get()
            assert (answer.code, answer.headers["Retry-After"]) == (503, "10")
            assert "Its database is not responding." in answer.text
            for path in ("/", f"/messages/{number}"):
                kept = ann.write(path, name="<Ann>", message="a long\r\nstory")
                assert (kept.code, kept.headers["Retry-After"]) == (503, "10")
                assert "Nothing is lost" in kept.text
                assert 'value="&lt;Ann&gt;"' in kept.text
                assert "a long\nstory</textarea>" in kept.text
                assert f'action="{path}"' in kept.text
            assert ann.delete(number).code == 503
        finally:
            mariadb.start()
        assert ann.texts() == ["before"]
        assert ann.write(message="after").code == 303
        assert ann.texts() == ["after", "before"]
        lines = [line for line in board.program.output().splitlines() if "database is not" in line]
        assert len(lines) == 4
        assert "503 GET / (127.0.0.1): the database is not available: " in lines[0]


def test_unresponsive_database(mariadb):
    with board_on_mariadb(mariadb, "--timeout=2") as board, ThreadPoolExecutor(2) as pool:
        ann = Reader(board)
        with mariadb.paused():
            answers = [pool.submit(ann.get), pool.submit(ann.write, message="lost")]
            assert [each.result().code for each in answers] == [503, 503]
            assert board.program.output().count("no response within 2 s") == 2
        # A reused connection would deliver the response to the earlier query.
        assert ann.write(message="found").code == 303
        assert ann.texts()[0] == "found"


def test_sqlite_file_locked_by_another_program(tmp_path):
    with board_on_sqlite(tmp_path / "board", "--timeout=0.1") as board:
        ann = Reader(board)
        with closing(sqlite3.connect(tmp_path / "board", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            kept = ann.write(message="wait for me")
            assert kept.code == 503
            assert "wait for me</textarea>" in kept.text
            assert ann.get().code == 200
            other.execute("COMMIT")
        assert ann.write(message="wait for me").code == 303
        assert "503 POST / (127.0.0.1): the database is not available: database is locked" in (
            board.program.output()
        )


def test_messages_survive_a_restart(tmp_path):
    with board_on_sqlite(tmp_path / "board", "--secret=s") as board:
        ann = Reader(board)
        number = number_of(ann.write(message="still here"))
    with board_on_sqlite(tmp_path / "board", "--secret=s") as board:
        again = Reader(board)
        assert again.texts() == ["still here"]
        again.cookies["author"] = ann.cookies["author"]
        assert again.get(f"/messages/{number}").code == 200
    with board_on_sqlite(tmp_path / "board", "--secret=t") as board:
        other = Reader(board)
        other.cookies["author"] = ann.cookies["author"]
        assert other.get(f"/messages/{number}").code == 403


def test_existing_table_causes_no_warning(mariadb):
    name = mariadb.new_database()
    for _ in range(2):
        with Program("demos/board/main.py", ["--port={port}", f"--database={mariadb.url(name)}"]) as program:
            assert Visitor(program).get().code == 200
            program.stop()
            assert "Warning" not in program.output()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres://user:secret@host/name", "mysql://user:password@host:port/name"),
        ("", "sqlite:///path"),
        ("sqlite://path", "sqlite:///relative/path"),
        ("sqlite:///no/such/directory/board", "no/such/directory/board: unable to open database file"),
        (f"sqlite:///{DEMO / 'main.py'}", "main.py: file is not a database"),
        ("mysql://user:secret@localhost", "mysql://user:password@host:port/name"),
        ("mysql://user:secret@localhost:99999/name", "ort out of range"),
        ("mysql://user:secret@127.0.0.1:{closed}/name", "127.0.0.1:{closed}: "),
    ],
)
def test_unusable_database_is_reported_in_one_line(url, message):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        closed = str(reserved.getsockname()[1])
        url, message = url.replace("{closed}", closed), message.replace("{closed}", closed)
        status, output = Program("demos/board/main.py", ["--port=0", f"--database={url}"]).run_to_its_end()
    assert status == 1
    assert output.startswith("board: ")
    assert message in output
    assert output.count("\n") == 1
    assert "secret" not in output


def test_wrong_password_is_reported_in_one_line(mariadb):
    url = mariadb.url("mysql").replace("tester:", "nobody:")
    status, output = Program("demos/board/main.py", ["--port=0", f"--database={url}"]).run_to_its_end()
    assert status == 1
    assert "Access denied for user 'nobody'" in output
    assert output.count("\n") == 1
    assert PASSWORD not in output


def test_sigterm_exits_with_status_0(tmp_path):
    with board_on_sqlite(tmp_path / "board") as board:
        Reader(board).write()
        process = board.program.process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
