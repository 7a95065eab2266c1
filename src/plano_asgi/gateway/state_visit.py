"""One request for kept state, as its handlers see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.gateway.call import Call
from plano_asgi.gateway.state_homes import Homes
from plano_asgi.state.responses_state import ResponsesState


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """
    One request at one of the endpoints.

    Args:
        owner: Whose state it may see.
        ids: Those of its path.
        query: Of each parameter the last one; those without a value are left out.
        body: Empty where there was none.
    """

    call: Call
    state: ResponsesState
    homes: Homes
    owner: str | None
    ids: Sequence[str]
    query: Mapping[str, str]
    body: JSONObject = field(repr=False)

    @property
    def id(self) -> str:
        """The first id of the path."""
        return self.ids[0]


Handler: TypeAlias = Callable[[Visit], Awaitable[JSONObject | None]]
"""Returns what to answer with; ``None`` where it has answered."""
