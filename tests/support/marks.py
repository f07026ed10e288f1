"""The tests that ``scripts/test --quick`` leaves out, by file or folder and by fixture, and the reasons.

A test is ``external`` if it depends on a program or a suite of others, or runs complete programs as their
users do. It is ``slow`` if its file needs more than about two seconds. `pytest_itemcollected` in
``tests/conftest.py`` adds the marks, so that no test needs a decorator.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePath

#: Files and folders, relative to ``tests``.
EXTERNAL = {
    "asgi/test_servers.py": "uvicorn, hypercorn and granian",
    "autoreload/test_live.py": "programs that restart while files change",
    "benchmarks": "the benchmark programs and the peers they measure",
    "compliance": "Autobahn, nginx, upstream's suite, deployments, attacks, faults",
    "demos": "the demos with their databases and browsers",
    "docs/test_client_guide.py": "the programs of the guide",
    "docs/test_course.py": "the programs of the guide",
    "docs/test_course_browser.py": "the programs of the guide in Chromium",
    "docs/test_network_guide.py": "the programs of the guide",
    "docs/test_testing_guide.py": "test suites in the guide, run by pytest and unittest",
    "seeds": "programs that were written for Tornado",
    "simple_httpclient/test_real_proxies.py": "squid, tinyproxy, microsocks",
    "test_many_connections.py": "a server and its clients in separate processes",
    "testing/test_pytest.py": "pytest in separate processes",
}

SLOW = {
    "_serve/admin/test_process.py": "services with several processes",
    "_serve/admin/test_tls.py": "services with several processes",
    "_serve/test_ctl.py": "services with several processes",
    "_serve/test_ctl_wait.py": "services with several processes",
    "_serve/test_health.py": "services whose workers are blocked, stopped and killed",
    "_serve/test_heartbeat_thread.py": "services with several processes",
    "_serve/test_observation.py": "services with several processes",
    "_serve/test_rolling_replacement.py": "services that are reloaded under load",
    "_serve/test_supervisor_signals.py": "services with several processes",
    "_serve/test_supervisor.py": "services with several processes",
    "_serve/test_worker.py": "services with several processes",
    "_serve/test_command.py": "the commands in separate processes",
    "autoreload/test_command.py": "the command line in separate processes",
    "http1connection/test_memory.py": "memory during large transfers",
    "platform/test_after_fork.py": "forked processes",
    "platforms/test_programs.py": "programs in separate processes",
    "platforms/test_serve.py": "programs in separate processes",
    "platforms/test_suites.py": "other tests, once more for each platform",
    "platform/test_twisted.py": "Twisted's reactors in separate processes",
    "platform/test_twisted_classic.py": "Twisted's reactors in separate processes",
    "simple_httpclient/test_faults.py": "a fault at every byte of a response",
    "simple_httpclient/test_pool.py": "ten thousand fetches",
    "support/test_work.py": "quadratic cost, measured",
    "test_fuzz_targets.py": "every fuzz target with its corpus",
    "test_import_cost.py": "imports in separate processes",
    "test_percent_decoding.py": "every escape in every position",
    "test_process.py": "forked processes and subprocesses",
    "web/test_run.py": "programs in separate processes",
    "web/_input/test_large_uploads.py": "an upload of a gigabyte",
}

#: Fixtures that start a program of others: each test that uses one is external.
EXTERNAL_FIXTURES = {"browser", "mariadb", "nats_server", "redis_cluster", "redis_sentinel", "redis_server"}


def marks(path: PurePath, fixtures: Collection[str]) -> list[str]:
    """Return the names of the marks of a test.

    :param path: the file of the test, relative to ``tests``.
    :param fixtures: the names of the fixtures it uses, directly or indirectly.
    """
    places = {path.as_posix(), *(parent.as_posix() for parent in path.parents)}
    found = []
    if places & EXTERNAL.keys() or EXTERNAL_FIXTURES.intersection(fixtures):
        found.append("external")
    if places & SLOW.keys():
        found.append("slow")
    return found
