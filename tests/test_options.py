"""Options from the command line and from files."""

from __future__ import annotations

import copy
import datetime
import io
from datetime import timedelta
from unittest import mock

import pytest

from tests.support.log import definition
from tornado import options as module
from tornado.options import Error, OptionParser


@pytest.fixture
def options():
    parser = OptionParser()
    parser.define("port", default=80, help="where to listen", group="server")
    parser.define("host_name", type=str, metavar="HOST")
    parser.define("debug", default=False)
    parser.define("ratio", type=float)
    parser.define("numbers", type=int, multiple=True)
    parser.define("words", multiple=True)
    parser.define("wait", type=timedelta)
    parser.define("when", type=datetime.datetime)
    parser.define("raw", type=bytes)
    return parser


def parse(options, *args):
    return options.parse_command_line(["program", *args])


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("--port=8080", "port", 8080),
        ("-port=8080", "port", 8080),
        ("--host-name=x", "host_name", "x"),
        ("--host_name=x=y", "host_name", "x=y"),
        ("--host_name=", "host_name", ""),
        ("--debug", "debug", True),
        ("--debug=f", "debug", False),
        ("--debug=False", "debug", False),
        ("--debug=0", "debug", False),
        ("--debug=yes", "debug", True),
        ("--ratio=1e3", "ratio", 1000.0),
        ("--numbers=1,3:5,7:", "numbers", [1, 3, 4, 5, 7]),
        ("--numbers=5:3", "numbers", []),
        ("--words=a,b c", "words", ["a", "b c"]),
        ("--raw=é", "raw", "é".encode()),
        ("--wait=90", "wait", timedelta(seconds=90)),
        ("--wait=1w2d 3h4m5s 6ms7us", "wait", timedelta(9, 5, 7, 6, 4, 3)),
        ("--wait=-1.5 hours", "wait", timedelta(hours=-1.5)),
        ("--wait=1e1min", "wait", timedelta(minutes=10)),
        ("--when=2025-01-31 12:30", "when", datetime.datetime(2025, 1, 31, 12, 30)),
        ("--when=2025-01-31T12:30", "when", datetime.datetime(2025, 1, 31, 12, 30)),
        ("--when=2025-01-31", "when", datetime.datetime(2025, 1, 31)),
        ("--when=20250131 12:30:05", "when", datetime.datetime(2025, 1, 31, 12, 30, 5)),
        ("--when=Fri Jan 31 12:30:05 2025", "when", datetime.datetime(2025, 1, 31, 12, 30, 5)),
        ("--when=12:30", "when", datetime.datetime(1900, 1, 1, 12, 30)),
    ],
)
def test_values_are_parsed_by_type(options, argument, name, value):
    assert parse(options, argument, "rest") == ["rest"]
    assert options[name] == getattr(options, name) == value
    assert definition(options, name.replace("_", "-")).value() == value


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--port=x", "Option 'port' takes a value of type int, got 'x'"),
        ("--ratio=x", "Option 'ratio' takes a value of type float"),
        ("--numbers=1,x", "Option 'numbers' takes a value of type int, got 'x'"),
        ("--numbers=", "Option 'numbers' takes a value of type int, got ''"),
        ("--wait=1 fortnight", "Option 'wait'.* expected a duration such as"),
        ("--wait=soon", "Option 'wait'.* expected a duration such as"),
        ("--wait=1e99w", "Option 'wait'"),
        ("--when=soon", "Unrecognized date/time format"),
        ("--port", "Option 'port' requires a value: --port=VALUE"),
        ("--host-name", "Option 'host-name' requires a value: --host-name=HOST"),
    ],
)
def test_invalid_values_raise(options, argument, message):
    with pytest.raises(Error, match=message):
        parse(options, argument)


def test_invalid_number_is_also_a_value_error(options):
    with pytest.raises(ValueError):
        parse(options, "--port=x")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--prot=8080", r"'prot' \(did you mean --port\?\)$"),
        ("--host_nam=8080", r"'host_nam' \(did you mean --host-name\?\)$"),
        ("--zzz", "'zzz'$"),
        ("-", "''$"),
    ],
)
def test_unknown_options_raise_with_a_suggestion(options, argument, message, capsys):
    with pytest.raises(Error, match="^Unrecognized command line option: " + message):
        parse(options, argument)
    assert "--port" in capsys.readouterr().err


def test_arguments_after_the_options_are_returned(options):
    assert parse(options, "--port=1", "file", "--port=2") == ["file", "--port=2"]
    assert options.port == 1
    assert parse(options, "--", "--port=2") == ["--port=2"]
    assert parse(options) == []


def test_default_arguments_are_sys_argv(options, monkeypatch):
    monkeypatch.setattr("sys.argv", ["program", "--port=5", "x"])
    assert options.parse_command_line() == ["x"]
    assert options.port == 5


def test_options_are_attributes_and_items(options):
    options.port = 1
    options["host-name"] = "x"
    assert (options["port"], options.host_name) == (1, "x")
    options.host_name = None
    options.numbers = [1, None]
    assert "host_name" in options
    assert "host-name" in options
    assert "nothing" not in options
    assert list(options)[:3] == ["help", "port", "host_name"]
    assert dict(options.items()) == options.as_dict()
    assert options.as_dict()["words"] == []


@pytest.mark.parametrize(
    ("name", "value"), [("port", "x"), ("ratio", 1), ("numbers", 5), ("numbers", ["x"]), ("host_name", 5)]
)
def test_value_of_wrong_type_raises(options, name, value):
    before = options[name]
    with pytest.raises(Error, match=f"Option '{name}' takes a"):
        options[name] = value
    assert options[name] == before


def test_unknown_names_raise_with_a_suggestion(options):
    for access in (
        lambda: options.prot,
        lambda: options["prot"],
        lambda: setattr(options, "prot", 5),
        lambda: options.__setitem__("prot", 5),
    ):
        with pytest.raises(AttributeError, match=r"Unrecognized option 'prot' \(did you mean --port\?\)"):
            access()
    assert not hasattr(options, "__wrapped__")
    assert copy.copy(options).port == 80


def test_group_dict_returns_the_options_of_a_group(options):
    assert options.groups() == {"", "server", __file__}
    assert options.group_dict("server") == {"port": 80}
    assert "host_name" in options.group_dict(__file__)
    assert options.group_dict("") == options.as_dict()
    assert options.group_dict("nothing") == {}


def test_redefinition_raises(options):
    for name in ("host_name", "host-name"):
        with pytest.raises(Error, match=f"'host-name' already defined in {__file__}"):
            options.define(name)


def test_type_defaults_to_type_of_default(options):
    options.define("a", default=1.5)
    options.define("b", default=["x"], multiple=True)
    options.define("c")
    found = {name: (definition(options, name).type, definition(options, name).multiple) for name in "abc"}
    assert found == {"a": (float, False), "b": (str, True), "c": (str, False)}
    with pytest.raises(ValueError, match="type must not be None"):
        module._Option("x")


def test_callbacks_are_called_for_each_change(options):
    seen = []
    options.define("one", callback=seen.append)
    options.define("many", type=int, multiple=True, callback=seen.append)
    options.add_parse_callback(lambda: seen.append("parsed"))
    parse(options, "--one=x", "--many=1,2")
    options.one = "y"
    assert seen == ["x", [1, 2], "parsed", "y"]
    options.parse_command_line(["program"], final=False)
    assert seen[-1] == "y"


def test_help_lists_options_and_exits(options, capsys):
    options.define("a_name_too_long_to_have_its_help_beside_it", help="word " * 30)
    with pytest.raises(SystemExit) as caught:
        parse(options, "--help")
    assert caught.value.code == 0
    text = capsys.readouterr().err
    assert "\n  --port                           where to listen (default 80)\n" in text
    assert "\n  --host-name=HOST\n" in text
    assert "\nserver options:\n" in text
    assert "\n  --a-name-too-long-to-have-its-help-beside-it\n                                   word" in text
    assert max(map(len, text.splitlines()[1:])) < 80
    options.help = False
    output = io.StringIO()
    options.print_help(output)
    assert output.getvalue() == text


# --- files ---


def parse_file(options, tmp_path, text):
    path = tmp_path / "settings.py"
    path.write_text(text, "utf-8")
    options.parse_config_file(path)


def test_options_are_read_from_a_file(options, tmp_path):
    seen = []
    options.add_parse_callback(lambda: seen.append("parsed"))
    text = "import os\nport = 5\nhost_name = 'é'\nnumbers = [1]\nother = __file__\n"
    text += "words = 'a,b'\nwait = '1h'\nratio = '2'"
    parse_file(options, tmp_path, text)
    assert (options.port, options.host_name, options.numbers, options.words) == (5, "é", [1], ["a", "b"])
    assert (options.wait, options.ratio) == (timedelta(hours=1), 2.0)
    assert seen == ["parsed"]
    options.parse_config_file(str(tmp_path / "settings.py"), final=False)
    assert seen == ["parsed"]


@pytest.mark.parametrize(
    "text", ["port = 'x'", "port = 1.5", "numbers = 5", "numbers = ['x']", "host_name = 5"]
)
def test_files_with_bad_values(options, tmp_path, text):
    name = text.split()[0]
    with pytest.raises(Error, match=f"Option '{name}' "):
        parse_file(options, tmp_path, text)


def test_error_in_file_shows_its_path(options, tmp_path):
    with pytest.raises(SyntaxError) as caught:
        parse_file(options, tmp_path, "port = ")
    assert caught.value.filename == str(tmp_path / "settings.py")


def test_config_file_named_by_option(options, tmp_path):
    options.define("config", callback=lambda path: options.parse_config_file(path, final=False))
    (tmp_path / "c").write_text("port = 5")
    parse(options, f"--config={tmp_path}/c", "--debug")
    assert (options.port, options.debug) == (5, True)


# --- for tests ---


def test_mockable_options_can_be_patched(options):
    with mock.patch.object(options.mockable(), "port", 5):
        assert options.port == 5
    assert options.port == 80
    options.port = 6
    with mock.patch.object(options.mockable(), "port", 7):
        assert options.port == 7
    assert options.port == 6
    mockable = options.mockable()
    mockable.port = 8
    with pytest.raises(ValueError, match="is already mocked"):
        mockable.port = 9


def test_module_functions_use_global_parser(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "options", OptionParser())
    module.define("port", default=80)
    seen = []
    module.add_parse_callback(lambda: seen.append(module.options.port))
    assert module.parse_command_line(["program", "--port=5", "x"]) == ["x"]
    (tmp_path / "c").write_text("port = 6")
    module.parse_config_file(tmp_path / "c")
    assert seen == [5, 6]
    output = io.StringIO()
    module.print_help(output)
    assert f"{__file__} options:" in output.getvalue()
    assert module.options.groups() == {"", __file__}
