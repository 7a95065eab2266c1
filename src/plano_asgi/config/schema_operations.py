"""Running it: state, tracing, and our own keys for auth, limits, retries and CORS."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from plano_asgi.config.schema_base import (
    HTTPURL,
    ConfigModel,
    HeaderName,
    Name,
    Number,
    Seconds,
    Secret,
    Whole,
)


class StateStorage(ConfigModel):
    """
    Where conversations of the Responses API are kept for upstreams that do not. ``sqlite`` and
    ``redis`` are ours.
    """

    type: Literal["memory", "postgres", "sqlite", "redis"]
    connection_string: SecretStr | None = None
    """A URL: ``postgresql://...``, ``sqlite:///state.db``, ``redis://...``."""
    ttl_s: Seconds | None = Field(default=None, alias="ttl", gt=0)
    """Ours: how long a response is kept after it was last gone on from."""
    max_items: Whole | None = Field(default=None, ge=1)
    """Ours: of one conversation; what is over is not gone on from."""
    max_bytes: Whole | None = Field(default=None, ge=1)
    """Ours: the same, in bytes of JSON."""
    key: Secret | None = None
    """Ours: seals what is kept (AES-GCM); 32 bytes as 64 hexadecimal digits."""

    @model_validator(mode="after")
    def _databases_have_a_connection(self) -> Self:
        given = self.connection_string and self.connection_string.get_secret_value()
        if self.type != "memory" and not given:
            raise ValueError(f"type {self.type} needs 'connection_string'")
        return self


class SpanAttributes(ConfigModel):
    """Attributes every span gets."""

    header_prefixes: tuple[Name, ...] = ()
    static: dict[str, str] = Field(default_factory=dict)


class TraceExporter(ConfigModel):
    """A destination of traces besides OTLP."""

    type: Literal["posthog"]
    url: HTTPURL
    api_key: Secret
    distinct_id_header: HeaderName | None = None
    enabled: bool = True
    capture_messages: bool = False


class Tracing(ConfigModel):
    """Plano's ``tracing``."""

    random_sampling: Whole = Field(default=0, ge=0, le=100)
    """Percent; 0 is off."""
    opentracing_grpc_endpoint: HTTPURL | None = None
    trace_arch_internal: bool = False
    """Read by no version."""
    sampling_rate: Number | None = None
    """Read by no version."""
    span_attributes: SpanAttributes = Field(default_factory=SpanAttributes)
    exporters: tuple[TraceExporter, ...] = ()


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < MIN_API_KEY_CHARS:
        raise ValueError(f"must have at least {MIN_API_KEY_CHARS} characters")
    return value


MIN_API_KEY_CHARS = 8
"""Of a key clients present."""

ApiKey = Annotated[Secret, AfterValidator(_long)]
"""A key clients present."""


class Auth(ConfigModel):
    """Ours: who may use the gateway."""

    api_keys: tuple[ApiKey, ...] = Field(min_length=1)
    """Accepted as ``Authorization: Bearer`` or ``x-api-key``."""


class Limits(ConfigModel):
    """Ours: sizes. What is absent keeps the gateway's default."""

    max_body_bytes: Whole | None = Field(default=None, ge=1)
    """Of a request."""
    max_response_bytes: Whole | None = Field(default=None, ge=1)
    """Of an upstream answer that has to be held in memory (not of a stream)."""


class Retries(ConfigModel):
    """Ours: attempts before the first content. What is absent keeps the gateway's default."""

    max_attempts: Whole | None = Field(default=None, ge=1, le=100)
    """Requests sent for one client request, all models together."""
    initial_delay_s: Number | None = Field(default=None, ge=0)
    max_delay_s: Number | None = Field(default=None, ge=0)


class Cors(ConfigModel):
    """Ours: browsers that may call the gateway."""

    allow_origins: tuple[Name, ...] = Field(min_length=1)
    """Origins such as ``https://app.example``, or ``*``."""
