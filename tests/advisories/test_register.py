"""The list of Tornado's past advisories, and a check that each has a test in this folder with its name.

The advisories about these modules are tested with the modules:

* ``auth``: parameters in the response of a provider, and the state that belongs to a session;
* ``curl_httpclient``: line breaks in headers (GHSA-w235-7p84-xx57), limits on decompressed bodies
  (CVE-2026-49855), credentials on redirects (CVE-2026-49853), and handles that are reused with options of the
  previous request.
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent

#: Name -> subject.
ADVISORIES = {
    "CVE-2012-2374": "line ends in response headers",
    "release 3.2.1": "name, value and time of signed values",
    "breach": "XSRF tokens in compressed pages",
    "injected XSRF cookie": "cookies of subdomains",
    "CVE-2023-28370": "open redirect of static directories",
    "GHSA-qppv-j76h-2rpx": "lenient integers in Content-Length and chunk sizes",
    "GHSA-753j-mpmx-qq6g": "Transfer-Encoding: duplicate, unknown, with a length, in Unicode's whitespace",
    "GHSA-w235-7p84-xx57": "line ends in the client's headers",
    "CVE-2024-52804": "quadratic cookies",
    "CVE-2025-47287": "a log line for each fault of a multipart body",
    "CVE-2025-67724": "line ends and markup in reason phrases",
    "CVE-2025-67725": "quadratic joining of repeated headers",
    "CVE-2025-67726": "quadratic parameters of headers",
    "percent decoding": "quadratic",
    "CVE-2026-31958": "multipart bodies without limits on parts and their headers",
    "CVE-2026-35536": "attributes of cookies",
    "CVE-2026-49853": "credentials on redirects to other origins",
    "CVE-2026-49854": "masks of lengths other than four",
    "CVE-2026-49855": "limits on what is inflated",
    "CVE-2026-82397": "the number of fields of forms, queries and headers",
    "CVE-2026-115927": "chunks of one byte",
    "interim responses": "1xx without end",
    "pong floods": "pings and pongs without end, and pongs that pile up",
    "empty fragments": "messages in fragments without end",
    "inflating messages": "few bytes of a WebSocket that become many",
    "cross-site websocket hijacking": "pages of other sites that open WebSockets",
    "release 6.6.0": "open redirects of slash decorators",
    "release 6.6.1": "open redirects by backslashes and escapes",
    "traversal by prefix": "directories whose names begin alike",
    "traversal by symlink": "links that lead outside",
    "traversal by ntfs stream": "colons on Windows",
}


def test_each_advisory_has_a_test() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("test_*.py")))
    tests = re.findall(r"def (test_\w+)", text)
    for name in ADVISORIES:
        words = re.sub(r"\W+", "_", name.lower())
        assert any(words in test for test in tests), name


def test_each_advisory_in_a_test_name_is_listed() -> None:
    names = {re.sub(r"\W+", "_", name.lower()) for name in ADVISORIES}
    for path in HERE.glob("test_*.py"):
        for found in re.findall(r"def test_((?:cve|ghsa|release)_\w+)", path.read_text(encoding="utf-8")):
            assert any(found.startswith(name) for name in names), found
