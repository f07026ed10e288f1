"""Conditions on which a handler changes a resource."""

from __future__ import annotations

import datetime

import pytest

from tests.support.server import handler_of, serving
from tornado import web

CHANGED = datetime.datetime(2030, 1, 2, 3, 4, 5, 600_000)


@pytest.mark.parametrize(
    ("etag", "modified", "field", "code"),
    [
        ('"v1"', None, None, 204),
        ('"v1"', None, 'If-Match: "v1"', 204),
        ('"v1"', None, 'If-Match: "v0", "v1"', 204),
        ('"v1"', None, "If-Match: *", 204),
        ('"v1"', None, 'If-Match: "v2"', 412),
        ('"v1"', None, "If-Match: v1", 412),
        ('W/"v1"', None, 'If-Match: W/"v1"', 412),
        (None, None, "If-Match: *", 412),
        (None, None, 'If-Match: "v1"', 412),
        (None, CHANGED, "If-Unmodified-Since: Wed, 02 Jan 2030 03:04:05 GMT", 204),
        (None, CHANGED, "If-Unmodified-Since: Wed, 02 Jan 2030 03:04:04 GMT", 412),
        (
            None,
            CHANGED.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
            "If-Unmodified-Since: Wed, 02 Jan 2030 02:04:05 GMT",
            204,
        ),
        (None, None, "If-Unmodified-Since: Wed, 02 Jan 2030 03:04:05 GMT", 204),
    ],
)
async def test_change_of_a_resource(etag, modified, field, code):
    def put(self):
        self.check_preconditions(etag, modified)
        self.set_status(204)

    async with serving(web.Application([("/", handler_of(put=put))])) as server:
        response = await server.fetch("/", *([field] if field else []), "Content-Length: 0", method="PUT")
        assert response.code == code
