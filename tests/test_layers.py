"""Imports point down: a room imports itself, what it is granted here, and third parties."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "plano_asgi"

_GROUND = "_json activities ask errors conversation loops stream_events passages"
_LOW = f"{_GROUND} exchange"
_MIDDLE = f"{_LOW} identities pricing wire asgi stores signals embeddings"
_SIBLINGS = "providers routing guards filters memory agents functions telemetry limits cache state"
MAY_IMPORT = {
    "_json": "",
    "errors": "",
    "conversation": "_json errors",
    "stream_events": "_json errors conversation",
    "activities": "",
    "ask": "_json conversation",
    "loops": "",
    "passages": "_json errors conversation",
    "exchange": _GROUND,
    "identities": "",
    "pricing": "_json errors conversation",
    "wire": _LOW,
    "asgi": f"{_LOW} wire",
    "stores": _LOW,
    "signals": _LOW,
    "embeddings": _LOW,
    "providers": _MIDDLE,
    "routing": _MIDDLE,
    "guards": _MIDDLE,
    "filters": f"{_MIDDLE} providers",
    "memory": _MIDDLE,
    "agents": _MIDDLE,
    "functions": _MIDDLE,
    "telemetry": _MIDDLE,
    "limits": _MIDDLE,
    "cache": _MIDDLE,
    "state": _MIDDLE,
    "attempts": f"{_MIDDLE} providers",
    "middleware": f"{_MIDDLE} guards filters memory telemetry",
    "gateway": f"{_MIDDLE} {_SIBLINGS} attempts",
    "config": f"{_MIDDLE} {_SIBLINGS} attempts middleware gateway",
    "server": f"{_MIDDLE} {_SIBLINGS} attempts middleware gateway config",
    "standalone": f"{_LOW} config server",
}


def test_every_room_is_listed() -> None:
    """A new package or module has to say here what it may import."""
    rooms = {p.stem for p in SRC.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms - {"__init__", "__pycache__"} <= set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_down(room: str) -> None:
    """No module reaches up, nor sideways."""
    allowed = {room, *MAY_IMPORT[room].split()}
    for path in [*SRC.glob(f"{room}.py"), *(SRC / room).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
                if node.module == "plano_asgi":
                    names = [f"plano_asgi.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                if name.startswith("plano_asgi."):
                    assert name.split(".")[1] in allowed, f"{path} imports {name}"
