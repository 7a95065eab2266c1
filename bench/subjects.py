"""What is measured: the floor, the gateway, and peers where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_PLANO = """\
version: v0.4.0
model_providers:
  - model: openai/*
    base_url: {mock}/v1
    access_key: bench
  - model: anthropic/*
    base_url: {mock}/v1
    access_key: bench
"""

_LITELLM = """\
model_list:
  - model_name: openai/*
    litellm_params: {{model: openai/*, api_base: "{mock}/v1", api_key: bench}}
  - model_name: anthropic/*
    litellm_params: {{model: anthropic/*, api_base: "{mock}", api_key: bench}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    One column of the table: an ASGI app in a process of its own.

    Args:
        app: Its import string.
        needs: The module without which the subject is left out.
        environment: From the mock's base URL and a directory for files, what the process is told.
        translates: It answers one dialect from an upstream of another.
        if_named: Measured only where ``--subject`` names it.
    """

    name: str
    app: str
    needs: str
    environment: Callable[[str, Path], dict[str, str]]
    translates: bool = True
    if_named: bool = False

    @property
    def available(self) -> bool:
        """Whether it is installed."""
        return find_spec(self.needs) is not None


def _config(variable: str, template: str, **environ: str) -> Callable[[str, Path], dict[str, str]]:
    def environment(mock: str, directory: Path) -> dict[str, str]:
        path = directory / f"{variable.lower()}.yaml"
        path.write_text(template.format(mock=mock))
        return {variable: str(path), **environ}

    return environment


def _floor_on(transport: str, needs: str) -> Subject:
    """The floor over another transport than the default."""
    return Subject(
        name=f"floor-{needs}",
        app="bench.floor:app",
        needs=needs,
        environment=lambda mock, _: {"BENCH_UPSTREAM": mock, "BENCH_TRANSPORT": transport},
        translates=False,
        if_named=True,
    )


SUBJECTS = (
    Subject(
        name="floor",
        app="bench.floor:app",
        needs="httptools",
        environment=lambda mock, _: {"BENCH_UPSTREAM": mock},
        translates=False,
    ),
    _floor_on("AiohttpTransport", "aiohttp"),
    _floor_on("HttpxTransport", "httpx"),
    Subject(
        name="plano",
        app="plano_asgi.standalone:app",
        needs="plano_asgi",
        environment=_config("PLANO_CONFIG", _PLANO),
    ),
    Subject(
        name="litellm",
        app="litellm.proxy.proxy_server:app",
        needs="litellm",
        environment=_config(
            "CONFIG_FILE_PATH",
            _LITELLM,
            LITELLM_MASTER_KEY="bench",
            LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true",
        ),
        translates=False,  # it asks for an API that the mock does not have
    ),
)
