"""A cluster of NATS servers with JetStream."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.databases import NATSServer, running_nats


class ClusterNode(NATSServer):
    """A server of a cluster.

    :ivar route_port: the port for the other servers.
    """

    def __init__(self, directory: Path, name: str) -> None:
        super().__init__(directory)
        self.name = name
        self._route = socket.socket()
        self._route.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._route.bind(("127.0.0.1", 0))
        self.route_port: int = self._route.getsockname()[1]

    def join(self, nodes: Sequence[ClusterNode]) -> None:
        """Set the servers of the cluster, before the start."""
        routes = ",".join(f"nats://127.0.0.1:{node.route_port}" for node in nodes)
        self.options = ["--server_name", self.name, "--cluster_name", "tests"]
        self.options += ["--cluster", f"nats://127.0.0.1:{self.route_port}", "--routes", routes]

    def close(self) -> None:
        super().close()
        self._route.close()


@contextlib.contextmanager
def running_nats_cluster() -> Iterator[list[ClusterNode]]:
    """Run three servers. If NATS is not installed, skip the test as `running_nats` does."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(running_nats()).stop()
        nodes = []
        for number in range(3):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="nats-"))
            nodes.append(node := ClusterNode(Path(directory), f"node{number}"))
            stack.callback(node.close)
        for node in nodes:
            node.join(nodes)
            node.start()
        yield nodes
