"""The measured servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.peers import Peer, tornado_peers

APPS = Path(__file__).parent / "apps"
UVLOOP = "uvloop==0.23.0"

_OTHERS = [
    Peer(
        "picows", "picows on uvloop", APPS / "picows_app.py", ("picows==2.3.1", UVLOOP), without=("deflate",)
    ),
    Peer("websockets", "websockets on uvloop", APPS / "websockets_app.py", ("websockets==17.4", UVLOOP)),
    Peer(
        "ours-asgi",
        "Waterspout, an ASGI application",
        APPS / "asgi_app.py",
        environment={"BENCH_SERVER": "waterspout"},
        without=("loop", "broadcast", "deflate", "alert", "stalled"),
    ),
    Peer(
        "uvicorn",
        "uvicorn with websockets",
        APPS / "asgi_app.py",
        ("uvicorn[standard]==0.54.0", "websockets==17.4"),
        without=("loop", "broadcast", "deflate", "alert", "stalled"),
    ),
    Peer(
        "hypercorn",
        "hypercorn on uvloop",
        APPS / "asgi_app.py",
        ("hypercorn==0.18.0", UVLOOP),
        environment={"BENCH_SERVER": "hypercorn"},
        without=("loop", "broadcast", "deflate", "alert", "stalled"),
    ),
    Peer("aiohttp", "aiohttp on uvloop", APPS / "aiohttp_app.py", ("aiohttp==3.14.5", UVLOOP)),
]
PEERS = {
    name: replace(peer, without=("broadcast",)) if peer.requirements else peer
    for name, peer in tornado_peers(APPS / "tornado_app.py").items()
} | {peer.name: peer for peer in _OTHERS}
