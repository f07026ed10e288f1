"""Masking of secrets recognized by their context."""

from __future__ import annotations

import time

import pytest

from tornado.web._redaction._literal_masking import MASK, mask_literals, mask_urls


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password = 'correct horse'", "password = '*'"),
        ("""{"api_key": b"it's \\" me", "n": "x"}""", """{"api_key": b"*", "n": "x"}"""),
        ('password: str = "x y"', 'password: str = "*"'),
        ('secret: str | None = f"x"', 'secret: str | None = f"*"'),
        ('if token == "x":', 'if token == "*":'),
        ('if token != "x":', 'if token != "*":'),
        ('secret = """x"""', 'secret = """*"""'),
        ("secret = '''x\ny", "secret = '''*\n"),
        ('token = os.environ.get("TOKEN", "x")', 'token = os.environ.get("TOKEN", "*")'),
        ('token = read("x").strip()\nname = "y"', 'token = read("*").strip()\nname = "y"'),
        ('jar["sid"] = "x"', 'jar["sid"] = "*"'),
        ('cookies["a"] = "x"', 'cookies["a"] = "*"'),
        ("f(password='x', name='y')", "f(password='*', name='y')"),
        ("[('password', 'x'), ('name', 'y')]", "[('password', '*'), ('name', 'y')]"),
        ("namespace(password='x')", "namespace(password='*')"),
        ("title = 'correct horse'", "title = 'correct horse'"),
        ("KeyError: 'ann'", "KeyError: 'ann'"),
        ("jwt.InvalidTokenError: 'ann'", "jwt.InvalidTokenError: 'ann'"),
        ("KeyError: {'token': 'x'}", "KeyError: {'token': '*'}"),
        ("""KeyError: "not in {'token': 'x'}\"""", """KeyError: "not in {'token': '*'}\""""),
        ("for key in 'abc':", "for key in 'abc':"),
        ("key = 'abc'", "key = 'abc'"),
        ("token = other", "token = other"),
        ("token = f(other)", "token = f(other)"),
        ("token = 'unclosed", "token = 'unclosed"),
    ],
)
def test_literals_of_secret_names_are_masked(text: str, expected: str) -> None:
    assert mask_literals(text) == expected.replace("*", MASK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://ann:hunter2@db/x", "postgres://ann:*@db/x"),
        ("redis://:hunter2@db", "redis://:*@db"),
        ("postgres://u:pa/ss@db/x", "postgres://u:*@db/x"),
        ("postgres://u:p@ss@db/x", "postgres://u:*@db/x"),
        ("http://example.com/a:b@c", "http://example.com/a:b@c"),
        ("http://example.com:8080/@ann", "http://example.com:8080/@ann"),
        ("host=db password=hunter2 user=ann", "host=db password=* user=ann"),
        ("password='hunter 2' user=ann", "password=* user=ann"),
        ("'host=db password=hunter2'", "'host=db password=*'"),
        ("SERVER=db;PWD=hunter2;", "SERVER=db;PWD=*;"),
        ("f(1, password=variable, user=2)", "f(1, password=variable, user=2)"),
        ("f(password=variable)", "f(password=variable)"),
        ("password = variable", "password = variable"),
    ],
)
def test_passwords_in_urls_and_connection_strings_are_masked(text: str, expected: str) -> None:
    assert mask_urls(text) == expected.replace("*", MASK)


@pytest.mark.parametrize(
    "part", ["a: ", "://a:", "token='x ", 'token="""x', "x", "password=x ", " ", 'a["b', "token=a("]
)
def test_cost_is_linear(part: str) -> None:
    def cost(size: int) -> float:
        text = part * (size // len(part))
        began = time.process_time()
        mask_urls(mask_literals(text))
        return time.process_time() - began

    # With quadratic cost, the larger text would take a thousand times as long.
    assert cost(320_000) < 300 * cost(10_000) + 0.1
