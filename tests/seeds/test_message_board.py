"""The message board of the notes, with aiomysql and a MariaDB server."""

from __future__ import annotations

import pytest

from tests.seeds.client import Visitor
from tests.support.databases import PASSWORD, USER

TABLE = """
    CREATE TABLE tb_message (
        id INT PRIMARY KEY AUTO_INCREMENT,
        name VARCHAR(100), email VARCHAR(100), address VARCHAR(100), message TEXT
    ) DEFAULT CHARACTER SET utf8mb4
"""
FIELDS = ("name", "email", "address", "message")
HOSTILE = (
    "'); DROP TABLE tb_message; --",
    '"><script>alert(1)</script>@example.org',
    "%s %(name)s {{ 1 + 1 }} \\' \\",
    "第一行 😀\n</textarea><script>alert(2)</script>",
)


@pytest.fixture
def database(mariadb) -> str:
    name: str = mariadb.new_database()
    mariadb.run(TABLE, database=name)
    return name


@pytest.fixture
def program(start, mariadb, database):
    running = start("message_board.py", str(mariadb.port), USER, PASSWORD, database)
    yield running
    assert "Traceback" not in running.output()


def test_message_is_stored_and_shown(program, mariadb, database):
    visitor = Visitor(program)
    empty = visitor.get()
    assert empty.code == 200
    assert 'name="id" value=""' in empty.text
    sent = visitor.post(id="", **dict(zip(FIELDS, HOSTILE, strict=True)))
    assert (sent.code, sent.headers["Location"]) == (302, "/")
    assert mariadb.run("SELECT * FROM tb_message", database=database) == [(1, *HOSTILE)]
    assert 'name="id" value="1"' in visitor.get().text


def test_form_changes_only_its_message(program, mariadb, database):
    mariadb.run(
        "INSERT INTO tb_message (name, email, address, message)"
        " VALUES ('a', 'b', 'c', 'd'), ('e', 'f', 'g', 'h')",
        database=database,
    )
    assert Visitor(program).post(id="2", name="陈", email="", address="", message="新").code == 302
    rows = mariadb.run("SELECT * FROM tb_message ORDER BY id", database=database)
    assert rows == [(1, "a", "b", "c", "d"), (2, "陈", "", "", "新")]


@pytest.mark.browser
def test_message_round_trip_in_browser(browser, program, mariadb, database):
    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.goto(program.url())
    for _ in range(2):  # the first iteration creates the message, the second changes it
        for field, text in zip(FIELDS, HOSTILE, strict=True):
            page.locator(f"[name={field}]").fill(text)
        with page.expect_navigation():
            page.get_by_role("button", name="提交").click()
        shown = tuple(page.locator(f"[name={field}]").input_value() for field in FIELDS)
        assert shown == HOSTILE
        assert page.locator("script").count() == 0
    context.close()
    assert errors == []
    # A browser sends line breaks as CR LF, and the program stores them unchanged.
    kept = (*HOSTILE[:3], HOSTILE[3].replace("\n", "\r\n"))
    assert mariadb.run("SELECT * FROM tb_message", database=database) == [(1, *kept)]
