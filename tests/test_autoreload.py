"""Noticing changes, and starting again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import types

import pytest

from tornado import autoreload


@pytest.fixture
def restarts(monkeypatch):
    """Files only as the test says, and the number of restarts in place of restarts."""
    counted = []
    monkeypatch.setattr(autoreload, "_extra_files", set())
    monkeypatch.setattr(autoreload, "_last_calls", [])
    monkeypatch.setattr(autoreload, "_reload", lambda: counted.append(1))
    monkeypatch.setattr(autoreload, "_source_files", lambda: sorted(autoreload._extra_files))
    return counted


def touch(path, text, time):
    path.write_text(text)
    os.utime(path, (time, time))


def test_a_change_is_noticed(tmp_path, restarts):
    file = tmp_path / "settings.txt"
    touch(file, "1", 1_000)
    autoreload.watch(str(file))
    autoreload.watch(str(tmp_path / "missing"))
    seen = {}
    autoreload._look(seen)
    autoreload._look(seen)
    assert restarts == []
    touch(file, "2", 900)  # an older time is another time too
    autoreload._look(seen)
    assert restarts == [1]


def test_what_does_not_compile_is_reported_and_waited_for(tmp_path, restarts, expect_log):
    file = tmp_path / "program.py"
    touch(file, "x = 1", 1_000)
    autoreload.watch(str(file))
    seen = {}
    autoreload._look(seen)
    touch(file, "x = = 1", 2_000)
    with expect_log("tornado.general", r"program\.py modified, but is not valid Python") as log:
        autoreload._look(seen)
        autoreload._look(seen)
    assert len(log.records) == 1
    assert restarts == []
    touch(file, "x = 2", 3_000)
    autoreload._look(seen)
    assert restarts == [1]


def test_the_files_of_modules(monkeypatch, tmp_path):
    compiled = types.ModuleType("compiled")
    compiled.__file__ = str(tmp_path / "compiled.pyc")
    for name, module in (("compiled", compiled), ("odd", object()), ("builtin", types.ModuleType("builtin"))):
        monkeypatch.setitem(sys.modules, name, module)
    files = autoreload._source_files()
    assert autoreload.__file__ in files
    assert str(tmp_path / "compiled.py") in files


def test_hooks_run_before_the_restart(monkeypatch):
    order = []
    monkeypatch.setattr(autoreload, "_last_calls", [])
    monkeypatch.setattr(autoreload, "_reload_attempted", False)
    monkeypatch.setattr(os, "execv", lambda path, command: order.append(command))
    autoreload.add_reload_hook(lambda: order.append("hook"))
    autoreload._reload()
    assert order == ["hook", [sys.executable, *sys.orig_argv[1:]]]
    autoreload._look({})  # once is enough, whatever came of it


def test_a_restart_that_fails_is_reported(monkeypatch, expect_log):
    def refuse(path, command):
        raise PermissionError("no")

    monkeypatch.setattr(autoreload, "_last_calls", [])
    monkeypatch.setattr(autoreload, "_reload_attempted", False)
    monkeypatch.setattr(os, "execv", refuse)
    with expect_log("tornado.general", "cannot restart"):
        autoreload._reload()


async def test_starting_twice_watches_once(monkeypatch):
    started = []

    class Ticker:
        def __init__(self, callback, period):
            self.period = period

        def start(self):
            started.append(self.period)

    monkeypatch.setattr(autoreload, "PeriodicCallback", Ticker)
    monkeypatch.setattr(autoreload, "_watching_loops", type(autoreload._watching_loops)())
    autoreload.start(check_time=100)
    autoreload.start(check_time=200)
    assert started == [100]


def run(*command, cwd):
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=60, env={**os.environ}
    )


# Rewrites itself once, so that what restarts it is a real change of its own source.
REWRITES_ITSELF = """
    import os, sys
    from tornado import autoreload
    from tornado.ioloop import IOLoop
    TURN = 1
    print("turn", TURN, sys.argv[1:], sys.flags.dev_mode, __name__, flush=True)
    if TURN == 1:
        autoreload.start(check_time=20)
        def change():
            with open(__file__) as file:
                text = file.read()
            with open(__file__, "w") as file:
                file.write(text.replace("TURN = 1", "TURN = 2", 1))
            os.utime(__file__, (1, 1))
        IOLoop.current().call_later(0.1, change)
        IOLoop.current().start()
"""


def test_a_program_restarts_with_its_flags_and_arguments(tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(REWRITES_ITSELF))
    done = run("-X", "dev", "program.py", "a", "--b", cwd=tmp_path)
    assert done.stdout.splitlines() == [f"turn {n} ['a', '--b'] True __main__" for n in (1, 2)]
    assert done.returncode == 0


def test_a_module_restarts_as_a_module(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "program.py").write_text(textwrap.dedent(REWRITES_ITSELF))
    done = run("-m", "package.program", "a", cwd=tmp_path)
    assert done.stdout.splitlines() == [f"turn {n} ['a'] False __main__" for n in (1, 2)]


@pytest.mark.parametrize("how", [["program.py"], ["-m", "program"]])
def test_a_wrapped_program_is_run_again_until_it_succeeds(tmp_path, how):
    """It fails at first, after changing its own source and being watched for it."""
    (tmp_path / "beside.py").touch()
    (tmp_path / "program.py").write_text(
        textwrap.dedent(
            """
            import os, sys, threading
            import beside
            from tornado import autoreload
            print("run", sys.argv[1:], __name__, autoreload is sys.modules["tornado.autoreload"], flush=True)
            if not os.path.exists("tried"):
                open("tried", "w").close()
                def change():
                    for time in range(1_000):  # until one of them is noticed
                        os.utime("program.py", (time, time))
                        threading.Event().wait(0.05)
                threading.Thread(target=change, daemon=True).start()
                raise ValueError("not yet")
            """
        )
    )
    done = run("-m", "tornado.autoreload", "--until-success", *how, "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["run ['a'] __main__ True"] * 2
    assert "ValueError: not yet" in done.stderr


def test_usage(tmp_path):
    for arguments in ([], ["-m"], ["--unknown"]):
        done = run("-m", "tornado.autoreload", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert "Usage:" in done.stderr


def test_a_failed_import_is_watched_where_it_failed(monkeypatch, tmp_path, expect_log):
    monkeypatch.setattr(autoreload, "_extra_files", set())
    broken = tmp_path / "broken.py"
    broken.write_text("x = = 1")

    def program():
        compile(broken.read_text(), str(broken), "exec")

    with expect_log("tornado.general", "exited with an exception"):
        assert autoreload._run("program", program) == 1
    assert {str(broken), __file__} <= autoreload._extra_files


def test_the_exit_status(monkeypatch):
    assert autoreload._run("program", lambda: None) == 0
    assert autoreload._run("program", lambda: sys.exit(3)) == 3
