"""Doors and neighbours: listeners, agents, filters, endpoints, prompt targets, rate limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from plano_asgi.config.schema_base import (
    HTTPURL,
    ConfigModel,
    HeaderName,
    Headers,
    Name,
    Port,
    Seconds,
    Whole,
)

EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_]*$")]
"""A key of ``endpoints``."""


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number or true/false")
    return value


Scalar = Annotated[str | int | float | bool, BeforeValidator(_scalar)]
"""A default or an enum value of a parameter; keeps its type."""


class ListenerAgent(ConfigModel):
    """An agent as one listener offers it."""

    id: Name
    description: str
    """What the agent is for, in words: selection reads it."""
    default: bool = False
    input_filters: tuple[Name, ...] = ()


class Listener(ConfigModel):
    """
    A port. ``migrate`` has turned the older forms into this one and filled in port and timeout,
    so only an agent listener can lack a port.
    """

    type: Literal["model", "prompt", "agent"]
    name: Name
    port: Port
    timeout_s: Seconds = Field(alias="timeout")
    address: Name = "0.0.0.0"
    router: Literal["plano_orchestrator_v1"] | None = None
    """Read by no version: agents are always orchestrated."""
    max_retries: Whole | None = Field(default=None, ge=0)
    agents: tuple[ListenerAgent, ...] = ()
    input_filters: tuple[Name, ...] = ()
    output_filters: tuple[Name, ...] = ()


class Agent(ConfigModel):
    """An agent's address."""

    id: Name
    url: HTTPURL


class FilterService(ConfigModel):
    """A remote filter."""

    id: Name
    url: HTTPURL
    type: Literal["mcp", "http"] = "mcp"
    transport: Literal["streamable-http"] = "streamable-http"
    tool: Name | None = None
    """MCP tool; ``tool_name`` fills in the default."""
    timeout_s: Seconds | None = Field(default=None, alias="timeout", gt=0)
    """Ours: of one call."""
    on_error: Literal["closed", "open"] | None = None
    """Ours: whether an exchange that the filter could not see goes on."""
    forward_credentials: bool = False
    """Ours: send the client's credentials along, as Plano does (``http`` only)."""

    @property
    def tool_name(self) -> str:
        """*tool*, or *id* where none is given."""
        return self.tool or self.id


class Endpoint(ConfigModel):
    """A service that prompt targets call."""

    endpoint: Name
    """``host`` or ``host:port``."""
    protocol: Literal["http", "https"] = "http"
    connect_timeout_s: Seconds | None = Field(default=None, alias="connect_timeout")
    http_host: Name | None = None
    prefix_affinity: bool = False


class TargetParameter(ConfigModel):
    """One argument of a prompt target."""

    name: Name
    description: str
    type: Name
    required: bool = False
    default: Scalar | None = None
    enum: tuple[Scalar, ...] = ()
    in_path: bool = False
    format: str | None = None


class TargetEndpoint(ConfigModel):
    """What a prompt target calls."""

    name: Name
    """A key of ``endpoints``."""
    path: str = "/"
    """May hold ``{parameter}``."""
    http_method: Literal["GET", "POST"] = "GET"
    http_headers: Headers = Field(default_factory=dict)


class PromptTarget(ConfigModel):
    """A function the model may call, answered by an endpoint."""

    name: Name
    description: str
    default: bool = False
    auto_llm_dispatch_on_response: bool = True
    parameters: tuple[TargetParameter, ...] = ()
    endpoint: TargetEndpoint | None = None
    system_prompt: str | None = None


class RateLimitSelector(ConfigModel):
    """Whose bucket: a header, and the value it must have."""

    key: HeaderName
    value: str


class RateLimitTokens(ConfigModel):
    """How many tokens per unit of time."""

    tokens: Whole = Field(ge=1)
    unit: Literal["second", "minute", "hour", "day"]


class RateLimit(ConfigModel):
    """Tokens per model and selector."""

    model: Name
    selector: RateLimitSelector
    limit: RateLimitTokens


class GuardMessage(ConfigModel):
    """What the client reads instead."""

    message: str


class JailbreakGuard(ConfigModel):
    """Plano's one guard."""

    on_exception: GuardMessage


class InputGuards(ConfigModel):
    """Guards of the prompt."""

    jailbreak: JailbreakGuard


class PromptGuards(ConfigModel):
    """Plano's ``prompt_guards``."""

    input_guards: InputGuards | None = None
