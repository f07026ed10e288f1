from __future__ import annotations

import pytest

from tornado._serve.bind import Bind, BindKind, parse_bind

TCP = BindKind.TCP


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8888", Bind(TCP, "127.0.0.1", 8888)),
        ("example.com:80", Bind(TCP, "example.com", 80)),
        (":80", Bind(TCP, "", 80)),
        ("[::1]:0", Bind(TCP, "::1", 0)),
        ("unix:/run/app.sock", Bind(BindKind.UNIX, path="/run/app.sock")),
        ("unix:app:1.sock", Bind(BindKind.UNIX, path="app:1.sock")),
        ("unix:@app", Bind(BindKind.UNIX, path="\0app")),
        ("fd:3", Bind(BindKind.DESCRIPTOR, descriptor=3)),
        ("systemd", Bind(BindKind.SYSTEMD)),
        ("systemd:web", Bind(BindKind.SYSTEMD, name="web")),
    ],
)
def test_every_form_is_parsed_and_shown_alike(text, expected):
    assert parse_bind(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "^$"),
        ("localhost", "^$"),
        ("unix:", "^$"),
        ("http://localhost:80", "^$"),
        ("8888", "write :8888 for all interfaces or 127.0.0.1:8888 for this machine only"),
        ("::1:80", r"brackets, \[::1\]:80"),
        ("localhost:port", "from 0 to 65535"),
        ("localhost:65536", "from 0 to 65535"),
        ("localhost:-1", "from 0 to 65535"),
        ("localhost:²", "from 0 to 65535"),
        ("fd:", "from 0 to"),
    ],
)
def test_other_texts_are_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_bind(text)
