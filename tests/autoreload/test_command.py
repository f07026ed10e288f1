"""``python -m tornado.autoreload``, and programs that restart themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from tornado.autoreload import _command, _files


def run(*command, cwd):
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=60, env={**os.environ}
    )


# A program that modifies its own source file once, which triggers a restart.
REWRITES_ITSELF = """
    import os, sys
    from tornado import autoreload
    from tornado.ioloop import IOLoop
    TURN = 1
    print("turn", TURN, sys.argv[1:], sys.flags.dev_mode, __name__, os.getpid(), os.getcwd(), flush=True)
    if TURN == 1:
        autoreload.start(check_time=20)
        autoreload.add_reload_hook(lambda: print("hook"))
        os.chdir("/")
        source = os.path.join(sys.path[0], os.path.basename(__file__))
        def change():
            with open(source if __file__.startswith(".") else __file__) as file:
                text = file.read()
            with open(source if __file__.startswith(".") else __file__, "w") as file:
                file.write(text.replace("TURN = 1", "TURN = 1 + 1", 1))
            os.utime(__file__, (1, 1))
        IOLoop.current().add_callback(lambda: IOLoop.current().add_callback(change))
        IOLoop.current().start()
"""


def test_program_restarts_with_its_flags_and_arguments(tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(REWRITES_ITSELF))
    done = run("-X", "dev", "program.py", "a", "--b", cwd=tmp_path)
    first, hook, second = done.stdout.splitlines()
    assert first.startswith("turn 1 ['a', '--b'] True __main__ ")
    assert hook == "hook"
    assert second == first.replace("turn 1", "turn 2")
    assert done.returncode == 0


def test_module_restarts_as_a_module(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "program.py").write_text(textwrap.dedent(REWRITES_ITSELF))
    done = run("-m", "package.program", "a", cwd=tmp_path)
    first, _, second = done.stdout.splitlines()
    assert first.startswith("turn 1 ['a'] False __main__ ")
    assert second == first.replace("turn 1", "turn 2")


@pytest.mark.parametrize("how", [["program.py"], ["-m", "program"]])
def test_wrapped_program_is_run_again_until_it_succeeds(tmp_path, how):
    """The first run of the program modifies its source file and then fails."""
    (tmp_path / "program.py").write_text(
        textwrap.dedent(
            """
            import os, sys
            from tornado import autoreload
            TURN = 1
            print("run", TURN, sys.argv[1:], __name__, flush=True)
            if TURN == 1:
                with open("program.py") as file:
                    text = file.read()
                with open("program.py", "w") as file:
                    file.write(text.replace("TURN = 1", "TURN = 1 + 1", 1))
                raise ValueError("not yet")
            """
        )
    )
    done = run("-m", "tornado.autoreload", "--until-success", *how, "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"run {turn} ['a'] __main__" for turn in (1, 2)]
    assert "ValueError: not yet" in done.stderr


def test_syntax_error_is_shown_and_its_correction_awaited(tmp_path):
    """The imported module with the error is not in ``sys.modules``, but its file must be watched."""
    (tmp_path / "part.py").write_text("x = = 1\n")
    (tmp_path / "program.py").write_text(
        textwrap.dedent(
            """
            import logging
            class Correct(logging.Handler):
                def emit(self, record):
                    with open("part.py", "w") as file:
                        file.write("x = 1")
            logging.basicConfig()
            logging.getLogger("tornado.general").addHandler(Correct(logging.ERROR))
            import part
            """
        )
    )
    done = run("-m", "tornado.autoreload", "--until-success", "program.py", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("SyntaxError") == 1


def test_wrapped_program_may_change_its_directory(tmp_path):
    """The command line contains a relative path of the program."""
    (tmp_path / "program.py").write_text(
        textwrap.dedent(
            """
            import os, sys
            TURN = 1
            print("run", TURN, flush=True)
            if TURN == 1:
                source = os.path.abspath("program.py")
                os.chdir("/")
                with open(source) as file:
                    text = file.read()
                with open(source, "w") as file:
                    file.write(text.replace("TURN = 1", "TURN = 1 + 1", 1))
                sys.exit(1)
            """
        )
    )
    done = run("-m", "tornado.autoreload", "--until-success", "program.py", cwd=tmp_path)
    assert done.stdout.splitlines() == ["run 1", "run 2"], done.stderr


def test_usage_is_shown_for_help_and_incomplete_arguments(tmp_path):
    for arguments in ([], ["-m"], ["--unknown"], ["--until-success"]):
        done = run("-m", "tornado.autoreload", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert "Usage:" in done.stderr
    for argument in ("-h", "--help"):
        done = run("-m", "tornado.autoreload", argument, cwd=tmp_path)
        assert done.returncode == 0
        assert "--until-success" in done.stdout
        assert done.stderr == ""


def test_files_in_a_traceback_are_watched(monkeypatch, tmp_path, expect_log):
    monkeypatch.setattr(_files, "extra", set())
    broken = tmp_path / "broken.py"
    broken.write_text("x = = 1")

    def program():
        try:
            compile(broken.read_text(), str(broken), "exec")
        except SyntaxError:
            raise ValueError("another one") from None

    with expect_log("tornado.general", "exited with an exception"):
        assert _command._run("program", program) == 1
    assert {str(broken), __file__} <= _files.extra


def test_exit_status_of_the_program_is_returned(expect_log, capsys):
    """A status other than 0 is logged. Text in place of a status is printed, as the interpreter does."""
    assert _command._run("program", lambda: None) == 0
    assert _command._run("program", lambda: sys.exit()) == 0
    for code, status in ((3, 3), ("no database", 1)):
        with expect_log("tornado.general", f"program exited with status {status}"):
            assert _command._run("program", lambda code=code: sys.exit(code)) == status
    assert capsys.readouterr().err == "no database\n"


GOOD = "print('ran', __name__)"
#: A command line that fails, the files that exist, the last line of the error, and the files that correct it.
FAILING = {
    "no program": (["gone.py"], {}, "No such file: 'gone.py'. It will", {"gone.py": GOOD}),
    "no module": (["-m", "gone"], {}, "No module named 'gone'. It will", {"gone.py": GOOD}),
    "no package": (["-m", "gone.x"], {}, "No module named 'gone.x'. It will", {"gone/x.py": GOOD}),
    "no module in it": (
        ["-m", "package.gone"],
        {"package/__init__.py": ""},
        "No module named 'package.gone'. It will",
        {"package/gone.py": GOOD},
    ),
    "no main module": (
        ["-m", "package"],
        {"package/__init__.py": ""},
        "No module named 'package.__main__': a package",
        {"package/__main__.py": GOOD},
    ),
    "syntax": (["x.py"], {"x.py": "x = = 1"}, "SyntaxError: invalid syntax", {"x.py": GOOD}),
    "syntax in a module": (["-m", "x"], {"x.py": "x = = 1"}, "SyntaxError: invalid syntax", {"x.py": GOOD}),
    "a failing package": (
        ["-m", "package.x"],
        {"package/__init__.py": "1 / 0", "package/x.py": GOOD},
        "ZeroDivisionError: division by zero",
        {"package/__init__.py": ""},
    ),
    "an absent import": (
        ["x.py"],
        {"x.py": f"import absent.part; {GOOD}"},
        "ModuleNotFoundError: No module named 'absent'",
        {"absent/part.py": "", "absent/__init__.py": ""},
    ),
    "its status": (["x.py"], {"x.py": "raise SystemExit(3)"}, "x.py exited with status 3", {"x.py": GOOD}),
}


@pytest.mark.parametrize("name", FAILING)
def test_failure_is_shown_and_program_run_again_after_correction(tmp_path, name):
    """The traceback contains no frames of the modules that run the program."""
    arguments, files, last_line, correction = FAILING[name]
    save(tmp_path, files)
    with subprocess.Popen(
        [sys.executable, "-m", "tornado.autoreload", "--until-success", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        limit = threading.Timer(30, running.kill)
        limit.start()
        try:
            shown = []
            for line in running.stderr:
                shown.append(line)
                if line.startswith(last_line):
                    break
            save(tmp_path, correction)
            output, errors = running.communicate()
        finally:
            limit.cancel()
            running.kill()
    assert output == "ran __main__\n", [*shown, errors]
    assert running.returncode == 0
    assert len(shown) == 1 or "exited with an exception" in shown[0]
    assert not any(our in line for our in ("_command.py", "runpy", "importlib") for line in shown)


def save(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["program.py"], 0),
        (["gone.py"], 1),
        (["-m", "gone.module"], 1),
    ],
)
def test_ctrl_c_while_waiting_exits_without_traceback(tmp_path, arguments, shown):
    (tmp_path / "program.py").write_text("print('done', flush=True)")
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        try:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == ("waits\n" if shown else "done\n")
            assert shown or waiting.stdout.readline() == "waits\n"
            waiting.send_signal(signal.SIGINT)
            _, errors = waiting.communicate(timeout=30)
        finally:
            waiting.kill()
    assert waiting.returncode == 130
    assert len(errors.splitlines()) == shown


# A replacement for ``python -m tornado.autoreload`` that prints a line when it starts to wait.
WAITING = """
import time
from tornado.autoreload import _command
sleep = time.sleep
def pause(seconds):
    print("waits", flush=True)
    sleep(60)
time.sleep = pause
_command.main()
"""
