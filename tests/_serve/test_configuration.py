from __future__ import annotations

import os

import pytest

from tornado._serve.arguments import ConfigurationError
from tornado._serve.bind import Bind, BindKind
from tornado._serve.configuration import describe, load


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults():
    configuration = load(["app"], {})
    assert configuration.target == "app"
    assert configuration.bind == (Bind(BindKind.TCP, "127.0.0.1", 8888),)
    assert (configuration.workers, configuration.grace, configuration.max_requests) == (1, 30.0, None)
    assert (configuration.trusted_proxies, configuration.certificate) == ((), None)
    assert configuration.is_default("bind")
    assert not configuration.is_default("target")


def test_command_line_precedes_environment_and_file(directory):
    (directory / "waterspout.toml").write_text('grace = 1\nworkers = 2\nhang-timeout = "off"\ntarget = "c"\n')
    variables = {"WATERSPOUT_GRACE": "3", "WATERSPOUT_WORKERS": "4", "WATERSPOUT_TARGET": "b"}
    configuration = load(["a", "--grace=5"], variables)
    assert (configuration.grace, configuration.workers, configuration.hang_timeout) == (5.0, 4, None)
    assert configuration.target == "a"
    assert load([], variables).target == "b"
    assert load([], {}).target == "c"
    assert configuration.origins["grace"] == "--grace"
    assert configuration.origins["workers"] == "WATERSPOUT_WORKERS"
    assert configuration.origins["hang_timeout"] == "waterspout.toml: hang_timeout"
    assert configuration.origins["backlog"] == "default"


@pytest.mark.parametrize("variables", [{}, {"WATERSPOUT_CONFIG": "other.toml"}])
def test_file_can_be_chosen(directory, variables):
    (directory / "waterspout.toml").write_text("workers = 2")
    (directory / "other.toml").write_text(
        'workers = 3\nreload = true\nbind = [":1", "unix:a"]\ntrusted_proxies = "10.0.0.0/8, unix"'
    )
    configuration = load(["app"] if variables else ["app", "--config=other.toml"], variables)
    assert (configuration.workers, configuration.reload) == (3, True)
    assert [str(each) for each in configuration.bind] == [":1", "unix:a"]
    assert configuration.trusted_proxies == ("10.0.0.0/8", "unix")


def test_values_of_a_repeatable_option_replace_those_of_other_sources():
    configuration = load(["app", "--bind=:1", "--bind=:2,:3"], {"WATERSPOUT_BIND": ":4"})
    assert [each.port for each in configuration.bind] == [1, 2, 3]
    assert [each.port for each in load(["app"], {"WATERSPOUT_BIND": ":4,:5"}).bind] == [4, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("workers = 0", r"waterspout.toml: workers: expected an integer of at least 1, or auto, got '0'"),
        ("workers = true", "waterspout.toml: workers: expected an integer .*, got True"),
        ("workers = [1]", r"workers: expected .*, got \[1\]"),
        ("workers = 1979-05-27", "workers: expected .*, got datetime"),
        ('reload = "yes"', "reload: expected true or false, got 'yes'"),
        ("reload = 1", "reload: expected true or false, got 1"),
        ("bind = []", "waterspout.toml: bind: expected at least one address"),
        ("worker = 1", r"waterspout.toml: unknown key 'worker'; did you mean workers\?"),
        ("[server]", "unknown key 'server'; expected one of target, bind, "),
        ("workers =", "waterspout.toml' is not valid TOML: "),
    ],
)
def test_wrong_files_are_explained(directory, content, message):
    (directory / "waterspout.toml").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        load(["app"], {})


def test_file_that_is_not_text_or_not_readable_is_explained(directory):
    (directory / "waterspout.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="waterspout.toml' is not valid TOML"):
        load(["app"], {})
    with pytest.raises(ConfigurationError, match="cannot read the configuration file '/': Is a directory"):
        load(["app", "--config=/"], {})


@pytest.mark.parametrize(
    ("words", "variables", "message"),
    [
        ([], {}, "expected the application as module:name, got none"),
        (["a", "--config=no.toml"], {}, "--config: the file 'no.toml' does not exist"),
        (["a"], {"WATERSPOUT_CONFIG": "no.toml"}, "WATERSPOUT_CONFIG: the file 'no.toml' does not exist"),
        (["a"], {"WATERSPOUT_WORKERS": "x"}, "WATERSPOUT_WORKERS: expected an integer .*, got 'x'"),
        (
            ["a"],
            {"WATERSPOUT_WORKRES": "1"},
            r"variable WATERSPOUT_WORKRES; did you mean WATERSPOUT_WORKERS\?",
        ),
        (["a", "--bind=80"], {}, r"--bind: expected host:port, .*, got '80' \(write :80 for all"),
        (["a", "--bind="], {}, "--bind: expected at least one address, got none"),
        (["a", "--key=/dev/null"], {}, "--key: '/dev/null' is a private key without a certificate"),
        (["a", "--reload"], {"WATERSPOUT_PRELOAD": "1"}, r"--reload: .*\(--preload, WATERSPOUT_PRELOAD\)"),
        (
            ["a", "--admin-key=/dev/null"],
            {},
            "--admin-key: '/dev/null' is a private key without a certificate; set --admin-certificate",
        ),
        (
            ["a", "--admin-certificate=/dev/null", "--admin=unix:s"],
            {},
            "--admin-certificate: '/dev/null' has no effect without a TCP address; set --admin=host:port",
        ),
        (
            ["a", "--max-requests-jitter=5"],
            {},
            "--max-requests-jitter: 5 has no effect without --max-requests",
        ),
    ],
)
def test_wrong_configurations_are_explained(words, variables, message):
    with pytest.raises(ConfigurationError, match=message):
        load(words, variables)


def test_only_root_may_change_the_user(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigurationError, match="--user: only root can change to '0'"):
        load(["app", "--user=0"], {})
    with pytest.raises(ConfigurationError, match="WATERSPOUT_GROUP: only root can change to '0'"):
        load(["app"], {"WATERSPOUT_GROUP": "0"})


def test_variables_of_kubernetes_services_are_accepted():
    variables = {"WATERSPOUT_SERVICE_HOST": "10.0.0.1", "WATERSPOUT_PORT": "tcp://10.0.0.1:80"}
    assert load(["app"], variables).workers == 1


def test_description_names_each_value_and_its_source():
    words = ["app", "--socket-mode=600", "--bind=:1,:2", "--reload", "--grace=1.5"]
    lines = describe(load(words, {"WATERSPOUT_MAX_MEMORY": "1K"})).splitlines()
    rows = {line.split()[0]: line.split(None, 1)[1] for line in lines}
    assert " ".join(rows["target"].split()) == "app the command line"
    assert " ".join(rows["bind"].split()) == ":1, :2 --bind"
    assert rows["socket_mode"].split() == ["600", "--socket-mode"]
    assert rows["reload"].split() == ["true", "--reload"]
    assert rows["grace"].split() == ["1.5", "--grace"]
    assert rows["max_memory"].split() == ["1024", "WATERSPOUT_MAX_MEMORY"]
    assert rows["certificate"].split() == ["-", "default"]
