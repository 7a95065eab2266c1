"""What an app's own agents and tools do for a request, told to whoever watches that request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from plano_asgi.activities import Activity
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import SCOPE_KEY, Exchange

AppKind: TypeAlias = Literal["agent", "tool"]

_KINDS = frozenset(get_args(AppKind))


def doing(
    request: Mapping[str, Any],
    kind: AppKind,
    name: str,
    /,
    **facts: str | int | float | bool | None,
) -> Activity:
    """
    ``with doing(request, "tool", "weather", call_id=call.id):`` around what an agent or a tool of
    the app's own does for *request*.

    Under ``PlanoTracing``, on a path that it looks at, this is a span: below whatever is being
    done in this task, else below the request's exchange. Anywhere else it does nothing. What is
    raised within it passes through, and is the span's error.

    Args:
        request: A Starlette or FastAPI ``Request``, or the ASGI scope.
        name: The agent's or the tool's.
        **facts: Of an agent *agent_id*, and *address* and *port* if it is a service elsewhere; of
            a tool *call_id*. Others become ``plano.agent.*`` and ``plano.tool.*``, as do those
            that ``Activity.note`` adds later. Never content. ``None`` is left out.

    Returns:
        What is entered. Its ``headers`` carry the trace to a service that is asked within it, and
        are empty where nobody watches; a word or an exception put into ``error`` is its failure
        where nothing is raised.

    Raises:
        ConfigurationError: Another *kind*, whether or not anybody watches.
    """
    if kind not in _KINDS:
        raise ConfigurationError(f"an app does {sorted(_KINDS)}, not {kind!r}")
    found = request.get(SCOPE_KEY)
    watcher = found.watcher if isinstance(found, Exchange) else None
    return Activity(watcher, kind, name, facts)
