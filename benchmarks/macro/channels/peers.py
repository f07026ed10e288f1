"""The measured programs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import Peer

APPS = Path(__file__).parent / "apps"
UVLOOP = "uvloop==0.23.0"
UVICORN = ("uvicorn[standard]==0.54.0", "websockets==17.4")

_ALL = [
    Peer("broadcast", "Waterspout, broadcast() by hand", APPS / "broadcast_app.py"),
    Peer("channels", "Waterspout, ChannelHandler", APPS / "channels_app.py"),
    Peer(
        "websockets",
        "websockets on uvloop, by hand",
        APPS / "websockets_app.py",
        ("websockets==17.4", UVLOOP, "redis"),
    ),
    Peer(
        "socketio",
        "python-socketio, uvicorn",
        APPS / "socketio_app.py",
        ("python-socketio==5.18.1", *UVICORN, "redis"),
    ),
    Peer(
        "django",
        "Django Channels, uvicorn",
        APPS / "django_app.py",
        ("channels-redis==4.3.0", "channels==4.3.2", *UVICORN),
    ),
]
PEERS = {peer.name: peer for peer in _ALL}
