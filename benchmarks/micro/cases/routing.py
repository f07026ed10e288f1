"""Measure how long it takes to find the last of many routes, and print CPU microseconds per routed request.

Arguments: ``literal`` or ``pattern``, and the number of routes.
"""

from __future__ import annotations

import sys

from measure import fastest

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

if __name__ == "__main__":
    kind, count = sys.argv[1], int(sys.argv[2])
    tail = "" if kind == "literal" else r"/([0-9]+)"
    application = Application([URLSpec(f"/section{n}/page{tail}", RequestHandler) for n in range(count)])
    path = f"/section{count - 1}/page" + ("" if kind == "literal" else "/42")
    line = RequestStartLine("GET", path, "HTTP/1.1")

    headers = HTTPHeaders({"Host": "localhost"})

    class Connection:
        """A substitute for the connection, which routing does not use."""

        context = None

    def route() -> object:
        """Route a new request, because the result may be cached on the request object."""
        request = HTTPServerRequest(start_line=line, headers=headers, connection=Connection())  # type: ignore[arg-type]
        return application.wildcard_router.find_handler(request)

    assert route() is not None
    fastest(route, 200)
