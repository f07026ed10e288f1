"""The same application in each framework, for `test_applications.py` and for ``compliance/asgi``.

Each module ``NAME_app.py`` defines ``app`` with these paths:

=====================  ====================================================================================
``GET /hello/{name}``  ``Hello {name}`` as text
``POST /json``         the JSON object of the request with ``"seen": true``
``POST /upload``       the size of the body and its SHA-256 as JSON, streamed
``GET /download``      `DOWNLOAD_SIZE` bytes in parts
``GET /events``        three server-sent events: ``data: 0`` to ``data: 2``
``GET /later``         ``started``; a background task then sets the answer of ``GET /result`` to ``done``
``GET /fail``          raises an exception: 500
``GET /state``         the value that the lifespan has stored: ``ready``
``/ws``                a WebSocket that repeats each text (subprotocol ``echo``); ``bye`` closes it (4000)
=====================  ====================================================================================
"""

from __future__ import annotations

#: The size of a download in bytes, and of its parts.
DOWNLOAD_SIZE = 50_000_000
PART = bytes(100_000)
#: The frameworks whose lifespan or WebSockets have no support: Django has neither.
WITHOUT_LIFESPAN = frozenset({"django"})
WITHOUT_WEBSOCKET = frozenset({"django"})
NAMES = ("starlette", "fastapi", "litestar", "quart", "django")
