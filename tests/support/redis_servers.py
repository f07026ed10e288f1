"""Several Redis servers: a cluster, and a master with a replica and a Sentinel."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.databases import DEADLINE, PATH, DatabaseServer, RedisServer, running_redis

SERVICE = "service"
#: The time in milliseconds after which a server that does not respond counts as failed.
NODE_TIMEOUT = 500


class ClusterNode(RedisServer):
    """A master in a cluster."""

    def __init__(self, directory: Path) -> None:
        self._bus = socket.socket()
        self._bus.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bus.bind(("127.0.0.1", 0))
        self.bus_port: int = self._bus.getsockname()[1]
        options = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus_port)]
        options += ["--cluster-node-timeout", str(NODE_TIMEOUT), "--cluster-config-file", "nodes.conf"]
        super().__init__(directory, *options, "--cluster-require-full-coverage", "yes")

    def close(self) -> None:
        super().close()
        self._bus.close()


class RedisCluster:
    """A cluster of masters.

    :ivar url: the URL for `tornado.channels.RedisBroker`.
    """

    def __init__(self, nodes: list[ClusterNode]) -> None:
        self.nodes = nodes
        self.url = f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in nodes)}/"

    def create(self) -> None:
        """Distribute the slots, and wait until all nodes know it."""
        size = 16384 // len(self.nodes) + 1
        for index, node in enumerate(self.nodes):
            end = min(16384, (index + 1) * size) - 1
            assert node.run(f"CLUSTER ADDSLOTSRANGE {index * size} {end}") == b"+OK"
            assert node.run(f"CLUSTER SET-CONFIG-EPOCH {index + 1}") == b"+OK"
        for node in self.nodes[1:]:
            meet = f"CLUSTER MEET 127.0.0.1 {node.port} {node.bus_port}"
            assert self.nodes[0].run(meet) == b"+OK"
        wait_until(lambda: all("cluster_state:ok" in self.info(node) for node in self.nodes), "the cluster")

    def info(self, node: ClusterNode) -> str:
        """Return the state of the cluster as a node knows it."""
        return str(query(node, "CLUSTER", "INFO"))

    def node_of(self, key: str) -> ClusterNode:
        """Return the node that has a key."""
        slot = query(self.nodes[0], "CLUSTER", "KEYSLOT", key)
        return self.nodes[int(slot) // (16384 // len(self.nodes) + 1)]

    def assign(self, slot: int, target: ClusterNode) -> None:
        """Assign a slot without keys to another node."""
        name = query(target, "CLUSTER", "MYID")
        for node in [target, *self.nodes]:
            query(node, "CLUSTER", "SETSLOT", str(slot), "NODE", name)


class Sentinel(DatabaseServer):
    """A Sentinel that monitors one master."""

    def start(self) -> None:
        """Start the Sentinel, and wait until it responds."""
        command = [str(shutil.which("redis-server", path=PATH)), str(self._directory / "sentinel.conf")]
        self._process = subprocess.Popen(
            [*command, "--sentinel"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until(self._answers)

    def configure(self, master: RedisServer) -> None:
        """Write the configuration file."""
        (self._directory / "sentinel.conf").write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {self._directory}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {NODE_TIMEOUT}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), DEADLINE).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(DEADLINE)


class MonitoredRedis:
    """A master, its replica and their Sentinel.

    :ivar url: the URL for `tornado.channels.RedisBroker`.
    """

    def __init__(self, master: RedisServer, replica: RedisServer, sentinel: Sentinel) -> None:
        self.master = master
        self.replica = replica
        self.sentinel = sentinel
        self.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}/0"

    def create(self) -> None:
        """Wait until the replica is synchronized, and the Sentinel knows it."""
        assert self.replica.run(f"REPLICAOF 127.0.0.1 {self.master.port}") == b"+OK"
        wait_until(
            lambda: "master_link_status:up" in query(self.replica, "INFO", "replication"), "the replica"
        )
        self.sentinel.configure(self.master)
        self.sentinel.start()
        wait_until(lambda: bool(query(self.sentinel, "SENTINEL", "REPLICAS", SERVICE)), "the Sentinel")


def query(server: DatabaseServer, *command: str) -> Any:
    """Return the response to a command; a text if it is a string."""
    import redis

    connection = redis.Connection(port=server.port, protocol=2)
    try:
        connection.send_command(*command)
        response = connection.read_response()
    finally:
        connection.disconnect()
    return response.decode() if isinstance(response, bytes) else response


def wait_until(condition: Any, name: str) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"{name} is not ready"
        time.sleep(0.01)


@contextlib.contextmanager
def running_cluster() -> Iterator[RedisCluster]:
    """Run a cluster of three masters. If Redis is not installed, skip the test as `running_redis` does."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(running_redis()).stop()
        nodes = []
        for _ in range(3):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-"))
            nodes.append(node := ClusterNode(Path(directory)))
            stack.callback(node.close)
            node.start()
        cluster = RedisCluster(nodes)
        cluster.create()
        yield cluster


@contextlib.contextmanager
def running_sentinel() -> Iterator[MonitoredRedis]:
    """Run a master with a replica and a Sentinel. Skip the test as `running_redis` does."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(running_redis()).stop()
        directories = [
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-"))) for _ in range(3)
        ]
        options = ("--repl-diskless-sync-delay", "0")
        master, replica = (RedisServer(each, *options) for each in directories[:2])
        sentinel = Sentinel(directories[2])
        for server in (master, replica, sentinel):
            stack.callback(server.close)
        master.start()
        replica.start()
        monitored = MonitoredRedis(master, replica, sentinel)
        monitored.create()
        yield monitored
