"""
Everything raised on purpose here: one tree, three causes.

    PlanoError                        500 api_error
    |-- ConfigurationError                 raised while building objects, never while serving
    |   `-- MissingExtra                   an optional dependency is not installed; names the extra
    |-- RequestError                  400 invalid_request_error      the client's cause
    |   |-- UnsupportedField          400      the chosen upstream's dialect cannot express it
    |   |-- AmbiguousModel            400      a bare model name that several providers serve
    |   |-- Unauthorized              401 authentication_error
    |   |-- Forbidden                 403 permission_error
    |   |-- NotFound                  404 not_found_error
    |   |   `-- ModelNotFound         404      with near matches
    |   |-- MethodNotAllowed          405
    |   |-- RequestTimeout            408 timeout_error              the client sends too slowly
    |   |-- BodyTooLarge              413 request_too_large
    |   |-- RateLimited               429 rate_limit_error           our own limits
    |   |-- FilterRefused             4xx, the filter's own          a filter stopped it
    |   `-- ContentBlocked            400                            a guard does not let it pass
    |-- UpstreamError                 502 upstream_error             the upstream's cause
    |   |-- UpstreamStatus                 answered with an error status, or an error inside a 200
    |   |-- UpstreamUnreachable       502      refused, DNS, TLS: nothing was sent
    |   |-- UpstreamReset             502      the connection ended before the answer did
    |   |-- UpstreamTimeout           504 timeout_error
    |   |-- UpstreamProtocolError     502      bytes that are not what the dialect says
    |   `-- UpstreamUnavailable       503 overloaded_error           circuit open on every candidate
    |-- FilterUnavailable             502                            a filter did not answer
    |-- GuardUnavailable              503 overloaded_error           a guard could not judge
    |-- StoreUnavailable              503 overloaded_error           a shared store is down
    |-- MemoryUnavailable             503 overloaded_error           a memory store is down
    `-- ShuttingDown                  503 overloaded_error

``status`` is the HTTP status, ``type`` the neutral error type (Anthropic's vocabulary, the finer
of the two client families; a dialect maps it to its own), ``code`` a stable machine-readable word.
Dialects render an error in their client's shape with ``Dialect.write_error``; nothing classifies
an error by its message text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class PlanoError(Exception):
    """Base of everything raised on purpose here."""

    status: int = 500
    type: str = "api_error"
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    retryable: bool = False

    @property
    def message(self) -> str:
        """What the client reads."""
        return str(self)

    @property
    def word(self) -> str:
        """What kind of trouble, as one of few words: for metrics, spans and logs."""
        return self.code or self.type


class ConfigurationError(PlanoError):
    """An object was built with arguments that cannot work; says which and what is allowed."""


class MissingExtra(ConfigurationError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'plano-asgi[{extra}]'")


class RequestError(PlanoError):
    """The request cannot be served as it is; *param* names the field where there is one."""

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        if code is not None:
            self.code = code


class UnsupportedField(RequestError):
    """A field that the chosen upstream's dialect cannot express and that is not safe to drop."""

    code = "unsupported_parameter"

    def __init__(self, field: str, dialect: str, reason: str = "") -> None:
        text = f"'{field}' cannot be expressed in the upstream's API ({dialect})"
        super().__init__(f"{text}: {reason}" if reason else text, param=field)


class AmbiguousModel(RequestError):
    """A bare model name that more than one provider serves; the message lists the full names."""

    code = "ambiguous_model"


class Unauthorized(RequestError):
    """No valid credentials."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(RequestError):
    """Valid credentials that do not reach this far."""

    status = 403
    type = "permission_error"


class NotFound(RequestError):
    """No such path or object."""

    status = 404
    type = "not_found_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No configured provider serves the model; the message names near matches."""

    code = "model_not_found"

    def __init__(self, model: str, near: Sequence[str] = ()) -> None:
        hint = f" Did you mean: {', '.join(near)}?" if near else ""
        shown = model if len(model) <= 200 else f"{model[:200]}..."
        super().__init__(f"The model '{shown}' does not exist here.{hint}", param="model")


class MethodNotAllowed(RequestError):
    """The path exists, the method does not; *allow* becomes the ``allow`` header."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimeout(RequestError):
    """The client did not finish sending its request in time."""

    status = 408
    type = "timeout_error"
    code = "request_timeout"


class BodyTooLarge(RequestError):
    """The request body is over the configured limit."""

    status = 413
    type = "request_too_large"
    code = "request_too_large"


class ContentBlocked(RequestError):
    """A guard does not let the text pass; *rule* says which of its rules, never the text."""

    code = "content_policy_violation"

    def __init__(self, message: str, *, guard: str = "", rule: str = "") -> None:
        super().__init__(message)
        self.guard = guard
        self.rule = rule


class FilterRefused(RequestError):
    """A filter stopped the exchange; *status* and text are the filter's own."""

    code = "filter_refused"

    def __init__(self, message: str, *, status: int = 400, filter: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.filter = filter


class RateLimited(RequestError):
    """One of our own limits is reached."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class FilterUnavailable(PlanoError):
    """A filter did not answer, or not with a body: the exchange ends unless it may go on."""

    status = 502
    code = "filter_unavailable"


class GuardUnavailable(PlanoError):
    """A guard could not judge, and nothing passes unjudged (``on_error`` is "closed")."""

    status = 503
    type = "overloaded_error"
    code = "guard_unavailable"


class StoreUnavailable(PlanoError):
    """A store that several exchanges share cannot be reached; ``retry_after_s`` is set."""

    status = 503
    type = "overloaded_error"
    code = "store_unavailable"
    retry_after_s: float | None = 5.0


class MemoryUnavailable(PlanoError):
    """A memory store cannot be reached; recalling fails open, forgetting does not."""

    status = 503
    type = "overloaded_error"
    code = "memory_unavailable"


class ShuttingDown(PlanoError):
    """The process is draining; try another replica."""

    status = 503
    type = "overloaded_error"
    code = "shutting_down"


class UpstreamError(PlanoError):
    """
    The upstream's cause. ``retryable`` says whether another attempt may help.

    *provider*, *model* and *dialect* are filled in by the attempt engine; the message is safe to
    show: it never carries a URL's query, a header or a key.
    """

    status = 502
    type = "api_error"
    code: str | None = "upstream_error"
    retryable = True
    provider: str | None = None
    model: str | None = None
    dialect: str = ""


class UpstreamStatus(UpstreamError):
    """
    The upstream answered with an error.

    Args:
        message: The upstream's own text where it gave one.
        status: HTTP status to show to the client. For an error event inside a 200 the reader
            derives it from the event's type (rate limit 429, overloaded 529, ...), else 502.
        type: Neutral type (see the module docstring).
        code: The upstream's own code, kept.
        param: The upstream's own param, kept.
        headers: The upstream's response headers (lower-case names).
        body: The upstream's error body as received, for a client of the same dialect.
        in_stream: The error came inside a 200 stream; *body* is then the event's data.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str = "api_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        in_stream: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.headers = dict(headers or {})
        self.body = body
        self.in_stream = in_stream

    @property
    def word(self) -> str:
        """Its neutral type: the code is the upstream's own."""
        return self.type


class UpstreamUnreachable(UpstreamError):
    """No connection could be made: refused, unknown host, TLS. Nothing was sent."""

    code = "upstream_unreachable"


class UpstreamReset(UpstreamError):
    """The connection ended before the answer did."""

    code = "upstream_reset"


class UpstreamTimeout(UpstreamError):
    """A time limit passed; *phase* is connect, read, first_token or total."""

    status = 504
    type = "timeout_error"
    code = "upstream_timeout"

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message)
        self.phase = phase


class UpstreamProtocolError(UpstreamError):
    """The upstream sent bytes that its dialect does not allow."""

    code = "upstream_protocol_error"


class UpstreamUnavailable(UpstreamError):
    """Every candidate's circuit is open; ``retry_after_s`` says when the first may be tried."""

    status = 503
    type = "overloaded_error"
    code = "upstream_unavailable"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
