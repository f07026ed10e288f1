"""The application on Django's ASGI handler; see `specification`. Django has no lifespan and no WebSockets."""

from __future__ import annotations

import asyncio
import hashlib
import json as json_module
from collections.abc import AsyncIterator
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from tests.asgi.applications.specification import DOWNLOAD_SIZE, PART

#: A process can be configured only once, so tests override the settings of other applications with these.
SETTINGS: dict[str, Any] = {
    "ROOT_URLCONF": __name__,
    "ALLOWED_HOSTS": ["*"],
    "SECRET_KEY": "test",
    "MIDDLEWARE": [],
    "DATA_UPLOAD_MAX_MEMORY_SIZE": None,
}
if not settings.configured:
    settings.configure(LOGGING_CONFIG=None, **SETTINGS)
    django.setup()

results: list[str] = []
tasks: set[asyncio.Task[None]] = set()


async def hello(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"Hello {name}", content_type="text/plain")


async def json(request: HttpRequest) -> JsonResponse:
    return JsonResponse({**json_module.loads(request.body), "seen": True})


def upload(request: HttpRequest) -> JsonResponse:
    size, digest = 0, hashlib.sha256()
    while part := request.read(1_000_000):
        size += len(part)
        digest.update(part)
    return JsonResponse({"size": size, "sha256": digest.hexdigest()})


async def parts() -> AsyncIterator[bytes]:
    for _ in range(DOWNLOAD_SIZE // len(PART)):
        yield PART


async def download(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(parts())


async def three_events() -> AsyncIterator[str]:
    for number in range(3):
        yield f"data: {number}\n\n"


async def events(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(three_events(), content_type="text/event-stream")


async def finish() -> None:
    results.append("done")


async def later(request: HttpRequest) -> HttpResponse:
    results.clear()
    task = asyncio.create_task(finish())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return HttpResponse("started", content_type="text/plain")


async def result(request: HttpRequest) -> HttpResponse:
    return HttpResponse("".join(results), content_type="text/plain")


async def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("fault")


urlpatterns: list[Any] = [
    path("hello/<name>", hello),
    path("json", json),
    path("upload", upload),
    path("download", download),
    path("events", events),
    path("later", later),
    path("result", result),
    path("fail", fail),
]
with override_settings(**SETTINGS):
    app = get_asgi_application()
