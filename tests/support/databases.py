"""Database servers for tests, with temporary data and on unused ports."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import quote

import pytest

# Distributions install servers in directories that are not on the PATH of ordinary users.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
USER = "tester"
#: This password contains characters with a special meaning in URLs, in SQL and in shells.
PASSWORD = "p@ss/w:rd%'\" #"
DEADLINE = 60.0

# Durability, large caches and threads for many users are disabled.
FAST = (
    "--skip-name-resolve",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--innodb-fast-shutdown=2",
    "--innodb-buffer-pool-size=16M",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
    "--innodb-log-file-size=8M",
    "--aria-pagecache-buffer-size=1M",
    "--key-buffer-size=64K",
)


class DatabaseServer:
    """Base class of database servers, which run in a separate process.

    :param directory: the directory for the data and the log.
    :ivar bind: the address at which Redis and NATS listen when they are started.
    """

    def __init__(self, directory: Path) -> None:
        self.bind = "127.0.0.1"
        self._directory = directory
        self._log: IO[bytes] = (directory / "log").open("w+b")
        self._process: subprocess.Popen[bytes] | None = None
        # Bound but not listening, with SO_REUSEADDR: the server can bind the port, and the kernel does not
        # assign it to another process.
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.port: int = self._reservation.getsockname()[1]

    def stop(self) -> None:
        """Stop the server."""
        raise NotImplementedError

    def _wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Wait until the server is ready.

        :raises AssertionError: if it exits, or is not ready within `DEADLINE` seconds; with the log.
        """
        assert self._process is not None
        end = time.monotonic() + DEADLINE
        while not is_ready():
            try:
                # A pause of 10 ms that ends early if the server exits.
                status = self._process.wait(0.01)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < end, f"{type(self).__name__} does not respond:\n{self.output()}"
            else:
                raise AssertionError(f"{type(self).__name__} exited with status {status}:\n{self.output()}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend the server for the block: connections are accepted, but the server does not respond."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the server and release its port."""
        self.stop()
        self._log.close()
        self._reservation.close()

    def output(self) -> str:
        """Return the server's log."""
        return (self._directory / "log").read_text(errors="replace")


class MariaDB(DatabaseServer):
    """A MariaDB server. The account `USER` has all privileges on all databases.

    It can be stopped and started again, with the same address and data.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._data = directory / "data"

    def install(self) -> None:
        """Create the system tables and the account."""
        self._data.mkdir()
        command = [_found("mariadb-install-db"), "--no-defaults", f"--datadir={self._data}", *_as_root()]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db", *FAST]
        done = subprocess.run(command, capture_output=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
        password = PASSWORD.replace("'", "''")
        account = f"{USER}@'127.0.0.1'"
        (self._directory / "init.sql").write_text(
            f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION;\n"
        )

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        assert self._process is None
        command = [_found("mariadbd"), "--no-defaults", f"--datadir={self._data}", *_as_root(), *FAST]
        command += [f"--socket={self._directory / 'socket'}", f"--pid-file={self._directory / 'pid'}"]
        command += ["--bind-address=127.0.0.1", f"--port={self.port}"]
        command += [f"--init-file={self._directory / 'init.sql'}", "--character-set-server=utf8mb4"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._wait_until(self._accepts)

    def _accepts(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as greeting:
                return greeting.recv(1) != b""
        except ConnectionRefusedError:
            return False

    def stop(self) -> None:
        """Stop the server, and keep the data."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"mysql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, *values: object, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement on a new connection, and return the rows."""
        import pymysql

        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            database=database,
            charset="utf8mb4",
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def new_database(self) -> str:
        """Create an empty database and return its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return name


def _skip(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"database tests must not be skipped in CI: {reason}", pytrace=False)
    pytest.skip(reason)


def _found(name: str) -> str:
    path = shutil.which(name, path=PATH)
    assert path is not None
    return path


def _as_root() -> list[str]:
    # MariaDB refuses to run as root without this option.
    return ["--user=root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def missing() -> str | None:
    """Return the reason why MariaDB cannot be started, or None."""
    for name in ("mariadbd", "mariadb-install-db"):
        if shutil.which(name, path=PATH) is None:
            return f"{name} is not installed; on Debian: apt-get install mariadb-server"
    try:
        import pymysql  # noqa: F401
    except ImportError:
        return "PyMySQL is not installed; pip install aiomysql"
    return None


@contextmanager
def running_mariadb() -> Iterator[MariaDB]:
    """Run a MariaDB server. If it is not installed, skip the test, or fail it if ``CI`` is set."""
    reason = missing()
    if reason is not None:
        _skip(reason)
    # The path of a Unix socket is limited to 107 bytes; the paths of pytest's directories may be longer.
    with tempfile.TemporaryDirectory(prefix="mariadb-") as directory:
        server = MariaDB(Path(directory))
        try:
            server.install()
            server.start()
            yield server
        finally:
            server.close()


class RedisServer(DatabaseServer):
    """A Redis server without persistence. It can be stopped and started again, with the same address.

    :param options: further arguments of redis-server.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory)
        self._options = options
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server unless it is running, and wait until it responds."""
        if self._process is not None:
            return
        command = [_found("redis-server"), "--bind", self.bind, "--port", str(self.port)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._directory)]
        command += ["--protected-mode", "no"]  # needed for other addresses
        command += self._options
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            return self.run("PING") == b"+PONG"
        except ConnectionRefusedError:
            return False

    def run(self, command: str) -> bytes:
        """Send one command, as words separated by spaces, and return the first line of the response."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
            connection.sendall(command.encode() + b"\r\n")
            with connection.makefile("rb") as answer:
                return answer.readline().rstrip()

    def flush(self) -> None:
        """Delete all data."""
        assert self.run("FLUSHALL") == b"+OK"

    def remove_data(self) -> None:
        """Remove the snapshot of ``SAVE``, while the server is stopped."""
        (self._directory / "dump.rdb").unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop the server; what has changed since the last ``SAVE`` is lost."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(DEADLINE)


class NATSServer(DatabaseServer):
    """A NATS server with JetStream. It can be killed and started again, with the same address and data.

    :ivar options: further arguments of nats-server.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.options: list[str] = []
        self.url = f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server unless it is running, and wait until it responds."""
        if self._process is not None:
            return
        command = [_found("nats-server"), "--jetstream", "--addr", self.bind, "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--store_dir", str(self._directory / "store"), *self.options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as client:
                return client.recv(4) == b"INFO"
        except ConnectionRefusedError:
            return False

    def restart_empty(self) -> None:
        """Kill the server, remove its data, and start it."""
        self.stop()
        self.remove_data()
        self.start()

    def remove_data(self) -> None:
        """Remove the data, while the server is stopped."""
        shutil.rmtree(self._directory / "store", ignore_errors=True)

    def stop(self) -> None:
        """Kill the server."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(DEADLINE)


def missing_nats() -> str | None:
    """Return the reason why NATS cannot be started, or None."""
    if shutil.which("nats-server", path=PATH) is None:
        return "nats-server is not installed; on Debian: apt-get install nats-server"
    if importlib.util.find_spec("nats") is None:
        return "nats-py is not installed; pip install nats-py"
    return None


@contextmanager
def running_nats() -> Iterator[NATSServer]:
    """Run a NATS server. If it is not installed, skip the test, or fail it if ``CI`` is set."""
    reason = missing_nats()
    if reason is not None:
        _skip(reason)
    with tempfile.TemporaryDirectory(prefix="nats-") as directory:
        server = NATSServer(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.close()


def missing_redis() -> str | None:
    """Return the reason why Redis cannot be started, or None."""
    if shutil.which("redis-server", path=PATH) is None:
        return "redis-server is not installed; on Debian: apt-get install redis-server"
    if importlib.util.find_spec("redis") is None:
        return "redis-py is not installed; pip install redis"
    return None


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Run a Redis server. If it is not installed, skip the test, or fail it if ``CI`` is set."""
    reason = missing_redis()
    if reason is not None:
        _skip(reason)
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = RedisServer(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.close()


class PostgreSQL(DatabaseServer):
    """One PostgreSQL server with an empty cluster. Any user of this machine may connect as `USER`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._data = directory / "data"
        self.url = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def install(self) -> None:
        """Create the cluster."""
        account = _postgres_account()
        if account is not None:  # the server refuses to run as root
            shutil.chown(self._directory, account)
        command = [_found_postgres("initdb"), f"--pgdata={self._data}", f"--username={USER}", "--no-sync"]
        done = subprocess.run(
            command, capture_output=True, timeout=DEADLINE, check=False, user=account, cwd=self._directory
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        command = [
            _found_postgres("postgres"),
            "-D",
            str(self._data),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        command += ["-c", "fsync=off", "-c", f"unix_socket_directories={self._directory}"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            user=_postgres_account(),
            cwd=self._directory,
        )
        self._wait_until(lambda: "database system is ready to accept connections" in self.output())

    def stop(self) -> None:
        """Stop the server immediately."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGQUIT)  # without waiting for its clients
        process.wait(DEADLINE)


def _postgres_account() -> str | None:
    return "postgres" if hasattr(os, "geteuid") and os.geteuid() == 0 else None


def _found_postgres(name: str) -> str:
    path = shutil.which(name, path=_postgres_path())
    assert path is not None
    return path


def _postgres_path() -> str:
    # Debian puts each version's programs into a folder outside of PATH.
    folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return os.pathsep.join([*folders, PATH])


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server. If it is not installed, skip the test, or fail it if ``CI`` is set."""
    for name in ("initdb", "postgres"):
        if shutil.which(name, path=_postgres_path()) is None:
            _skip(f"{name} is not installed; on Debian: apt-get install postgresql")
    if importlib.util.find_spec("asyncpg") is None:
        _skip("asyncpg is not installed; pip install asyncpg")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as directory:
        server = PostgreSQL(Path(directory))
        try:
            server.install()
            server.start()
            yield server
        finally:
            server.close()
