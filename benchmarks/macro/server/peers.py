"""The measured servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.peers import Peer, tornado_peers

APPS = Path(__file__).parent / "apps"
UVICORN = "uvicorn[standard]==0.54.0"
#: Scenarios that need a framework, or the hooks of Tornado's API.
BARE = ("hooked", "form", "suspend")

_OTHERS = [
    Peer("sanic", "Sanic", APPS / "sanic_app.py", ("sanic==25.12.1",)),
    Peer(
        "starlette",
        "Starlette on uvicorn",
        APPS / "starlette_app.py",
        ("starlette==1.10.0", "python-multipart==0.0.34", UVICORN),
    ),
    Peer("aiohttp", "aiohttp on uvloop", APPS / "aiohttp_app.py", ("aiohttp==3.14.5", "uvloop==0.23.0")),
    Peer("falcon", "Falcon on uvicorn", APPS / "falcon_app.py", ("falcon==4.4.0", UVICORN)),
    Peer("blacksheep", "BlackSheep on uvicorn", APPS / "blacksheep_app.py", ("blacksheep==2.6.4", UVICORN)),
    Peer(
        "ours-asgi",
        "Waterspout, an ASGI application",
        APPS / "uvicorn_app.py",
        environment={"BENCH_SERVER": "waterspout"},
        without=BARE,
    ),
    Peer(
        "hypercorn",
        "hypercorn on uvloop, no framework",
        APPS / "uvicorn_app.py",
        ("hypercorn==0.18.0", "uvloop==0.23.0"),
        environment={"BENCH_SERVER": "hypercorn"},
        without=BARE,
    ),
    Peer("uvicorn", "uvicorn, no framework", APPS / "uvicorn_app.py", (UVICORN,), without=BARE),
    Peer(
        "granian",
        "granian RSGI, no framework",
        APPS / "granian_app.py",
        ("granian==2.8.7",),
        without=(*BARE, "tls", "logged"),
    ),
]
PEERS = tornado_peers(APPS / "tornado_app.py") | {
    peer.name: replace(peer, without=peer.without or ("hooked",)) for peer in _OTHERS
}
