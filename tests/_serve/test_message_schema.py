"""The checks of the messages between the supervisor, its workers and the administration."""

from __future__ import annotations

import pytest

from tornado._serve.message_schema import FROM_ADMIN, FROM_SUPERVISOR, FROM_WORKER, find_error, known_stats

STATS = {"connections": 1, "requests": 2, "cpu": 0.5, "threads": 3, "problems": ["the broker is away"]}
VALID = [
    (FROM_WORKER, {"type": "ready"}),
    (FROM_WORKER, {"type": "failed", "stage": "import", "report": "no module"}),
    (FROM_WORKER, {"type": "beat", "loop": 1, "age": 0.25, "stats": STATS}),
    (FROM_WORKER, {"type": "beat", "loop": 1, "age": 0, "stats": {}}),
    (FROM_WORKER, {"type": "leaving"}),
    (FROM_WORKER, {"type": "drained", "clean": True, "snapshot": None, "recent": None}),
    (FROM_WORKER, {"type": "reply", "id": "1.1", "data": [1, {}]}),
    (FROM_ADMIN, {"type": "status", "id": "1.1"}),
    (FROM_ADMIN, {"type": "ask", "id": "1.1", "what": "log", "arguments": {"request_id": "a"}}),
    (FROM_ADMIN, {"type": "act", "id": "1.1", "action": "scale", "arguments": {"workers": 3}}),
    (FROM_ADMIN, {"type": "keep", "data": {}}),
    (FROM_SUPERVISOR, {"type": "drain", "grace": 30.0, "delay": 0.0}),
    (FROM_SUPERVISOR, {"type": "final", "pid": 1, "snapshot": {}, "recent": {}}),
]


@pytest.mark.parametrize(("schema", "message"), VALID)
def test_valid_message_has_no_error(schema, message):
    assert find_error(message, schema) is None


@pytest.mark.parametrize(("schema", "message"), VALID)
def test_each_listed_value_is_checked_and_required_unless_it_may_be_none(schema, message):
    for name in message.keys() - {"type", "data"}:
        rest = {key: value for key, value in message.items() if key != name}
        if message[name] is not None and name not in ("snapshot", "recent"):
            assert f"{name!r}" in find_error(rest, schema)
        assert f"{name!r}" in find_error({**message, name: object()}, schema)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", "x"),
        ("age", float("nan")),
        ("age", float("inf")),
        ("age", -1e9),
        ("age", 10**400),
        ("age", True),
        ("loop", 1.5),
        ("stats", 5),
        ("stats", {"requests": "many"}),
        ("stats", {"problems": [5]}),
        ("stats", {"problems": ["x"] * 1001}),
    ],
)
def test_invalid_beat_is_described(name, value):
    message = {"type": "beat", "loop": 1, "age": 0.0, "stats": {}, name: value}
    assert find_error(message, FROM_WORKER).startswith(f"'beat' has an invalid {name!r}: ")


@pytest.mark.parametrize("message", [None, [], "text", 5, {}, {"type": 1}, {"type": ["beat"]}])
def test_message_without_type_is_described(message):
    assert find_error(message, FROM_WORKER) == "expected an object with a type"


def test_identifier_that_is_a_list_is_described():
    message = {"type": "reply", "id": [1], "data": None}
    assert find_error(message, FROM_WORKER) == "'reply' has an invalid 'id': a list"
    message = {"type": "ask", "id": ["1"], "what": "log", "arguments": {}}
    assert find_error(message, FROM_ADMIN) == "'ask' has an invalid 'id': a list"


@pytest.mark.parametrize("value", [{"workers": -1}, {"workers": []}, {"workers": 1.5}, [], None])
def test_arguments_are_texts_and_counts(value):
    message = {"type": "act", "id": "1", "action": "scale", "arguments": value}
    assert "has an invalid 'arguments'" in find_error(message, FROM_ADMIN)


def test_unknown_type_of_another_version_is_ignored():
    assert find_error({"type": "news", "text": [1]}, FROM_WORKER) is None
    assert find_error({"type": "ready", "more": [1]}, FROM_WORKER) is None


def test_numbers_of_another_version_are_ignored():
    stats = {"requests": 1, "gpu": ["x"]}
    assert find_error({"type": "beat", "loop": 1, "age": 0.0, "stats": stats}, FROM_WORKER) is None
    assert known_stats(stats) == {"requests": 1}


@pytest.mark.parametrize("missing", ["snapshot", "recent"])
def test_value_that_another_version_does_not_send_counts_as_none(missing):
    message = {"type": "drained", "clean": True, "snapshot": None, "recent": None}
    del message[missing]
    assert find_error(message, FROM_WORKER) is None


def test_description_is_one_short_printable_line():
    text = find_error({"type": "beat", "loop": "\x1b]0;x\x07\n" + "x" * 10_000}, FROM_WORKER)
    assert text.isprintable()
    assert len(text) < 200
