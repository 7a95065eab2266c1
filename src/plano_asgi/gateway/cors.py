"""CORS for browser clients: starlette's, with refusals in JSON."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from plano_asgi._json import dumps

_EXPOSED_HEADERS = (
    "x-request-id",
    "request-id",
    "x-plano-model",
    "x-plano-attempts",
    "x-plano-estimated",
    "x-plano-cache",
    "x-plano-cost",
    "x-plano-state",
    "x-should-retry",
    "retry-after",
    "retry-after-ms",
    *(
        f"{vendor}ratelimit-{what}"
        for vendor in ("x-", "anthropic-")
        for what in (
            "limit-requests",
            "limit-tokens",
            "remaining-requests",
            "remaining-tokens",
            "reset-requests",
            "reset-tokens",
        )
    ),
)


class CORS(CORSMiddleware):
    """
    Lets browsers of *origins* call *app* (``["*"]``: any) and read what SDKs look for in headers.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=_EXPOSED_HEADERS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Starlette's answer; where it refuses, as an error object."""
        response = super().preflight_response(request_headers)
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-length", "content-type")
        }
        if response.status_code < 400:
            return Response(status_code=204, headers=headers)
        error = {
            "message": bytes(response.body).decode(),
            "type": "invalid_request_error",
            "param": None,
            "code": "cors_refused",
        }
        return Response(dumps({"error": error}), response.status_code, headers, "application/json")
