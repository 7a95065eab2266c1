"""
Any upstream's error, read tolerantly: status, headers and body in, one ``UpstreamStatus`` out.

Every API spells its errors in its own way, and what answers is often not the API but a load
balancer, a proxy or a framework's default handler. So the body is searched for the places a text
is known to stand in, in order, whatever dialect the upstream speaks; nothing matches its wording.

=========================  =======================================================================
OpenAI, Azure, Groq, ...   ``{"error": {"message", "type", "param", "code"}}``
Anthropic                  ``{"type": "error", "error": {"type", "message"}}``
Gemini                     ``{"error": {"code": 404, "message", "status"}}``, also inside a list
Bedrock                    ``{"message"}`` or ``{"Message"}``, and the header ``x-amzn-errortype``
Mistral, Cohere            ``{"message": str or {"detail": [...]}, "type" or "error_type"}``
xAI, Ollama                ``{"error": "text", "code": "word"}``
FastAPI                    ``{"detail": str or [{"loc", "msg"}]}``
anything else              HTML is reduced to its title, plain text is taken as it is
=========================  =======================================================================
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from html import unescape
from http import HTTPStatus

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import UpstreamStatus

MAX_MESSAGE_BYTES = 4 << 10
MAX_BODY_BYTES = 64 << 10
_MAX_HTML_CHARS = 8 << 10  # of a page without a title; what matters stands at its top

_TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "permission_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "invalid_request_error",
    410: "not_found_error",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_NEUTRAL_TYPES = frozenset({*_TYPE_OF_STATUS.values(), "api_error"})

_STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "invalid_argument": 400,
    "invalid_prompt": 400,
    "bad_request": 400,
    "bad_request_error": 400,
    "validation_error": 400,
    "validation_exception": 400,
    "failed_precondition": 400,
    "out_of_range": 400,
    "context_length_exceeded": 400,
    "string_above_max_length": 400,
    "unsupported_parameter": 400,
    "unsupported_value": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "too_many_prompt_tokens": 400,
    "too_many_tokens": 400,
    "service_quota_exceeded_exception": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthorized": 401,
    "unauthenticated": 401,
    "unrecognized_client_exception": 401,
    "expired_token_exception": 401,
    "billing_error": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "permission_denied_error": 403,
    "forbidden": 403,
    "access_denied": 403,
    "access_denied_exception": 403,
    "not_found_error": 404,
    "not_found": 404,
    "model_not_found": 404,
    "resource_not_found_exception": 404,
    "request_timeout": 408,
    "conflict_error": 409,
    "aborted": 409,
    "request_too_large": 413,
    "unprocessable_entity": 422,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limit_reached": 429,
    "rate_limited": 429,
    "too_many_requests": 429,
    "requests": 429,
    "tokens": 429,
    "insufficient_quota": 429,
    "quota_exceeded": 429,
    "resource_exhausted": 429,
    "throttling": 429,
    "throttling_exception": 429,
    "model_not_ready_exception": 429,
    "api_error": 500,
    "server_error": 500,
    "internal": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "internal_server_exception": 500,
    # The model behind the API failed: AWS calls it the sender's fault (424), which it is not.
    "model_error_exception": 502,
    "model_stream_error_exception": 502,
    "upstream_error": 502,
    "bad_gateway": 502,
    "unavailable": 503,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "service_unavailable_exception": 503,
    "overloaded": 503,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "gateway_timeout": 504,
    "model_timeout_exception": 504,
    "overloaded_error": 529,
}

_TEXT_KEYS = (
    "message",
    "Message",
    "error_description",
    "detail",
    "details",
    "msg",
    "error",
    "errors",
    "title",
    "reason",
)
_CODE_KEYS = ("code", "status", "error_type", "__type")

_WORD = re.compile(r"[^\s<>]{1,256}")  # longer ones, and ones with spaces, are no identifiers
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[!/?a-zA-Z][^<>]*>?")
_LOOKS_LIKE_HTML = re.compile(
    r"\s*<(?:!doctype|!--|\?xml|html|head|body|[a-z][a-z0-9]*[\s>])", re.I
)


def read_upstream_error(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> UpstreamStatus:
    """
    Read an answer with an error *status*.

    Args:
        status: HTTP status, 400 or above.
        headers: Response headers, lower-case names.
        body: As received, already freed of content-encoding; may be cut or empty.
        now: Unix seconds against which a ``retry-after`` date is read; the clock's by default.

    Returns:
        The error: never empty and never HTML in ``message`` (at most 4 KiB), ``retry_after_s``
        set where the headers say so, the first 64 KiB of *body* kept as they are.
    """
    error = _from_document(status, _document(body))
    error.headers = dict(headers)
    error.body = body[:MAX_BODY_BYTES]
    if error.code is None and (word := headers.get("x-amzn-errortype")):
        error.code = _last_name(word)
    error.retry_after_s = retry_after(headers, now=now)
    return error


def read_error_event(document: object, data: bytes) -> UpstreamStatus:
    """
    Read an error that came inside a 200: an event of a stream, or a JSON body.

    *document* is the decoded JSON, *data* its bytes. The status is a number the error carries, or
    follows from its type or code (``status_of``), else it is 502.
    """
    status = next(filter(None, map(_error_status, _levels(document))), 502)
    error = _from_document(status, document)
    error.body = data[:MAX_BODY_BYTES]
    error.in_stream = True
    return error


def status_of(word: str) -> int | None:
    """
    HTTP status that an error type or code stands for; ``None`` for a word nobody knows.

    Any spelling: ``overloaded_error`` 529, ``RESOURCE_EXHAUSTED`` 429, ``throttlingException`` 429.
    """
    return _STATUS_OF_WORD.get(_CAMEL.sub("_", word).replace("-", "_").replace(" ", "_").lower())


def type_of(status: int) -> str:
    """Neutral error type of an HTTP status; ``api_error`` where nothing finer is known."""
    return _TYPE_OF_STATUS.get(status, "api_error")


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """
    Seconds to wait from ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date).

    ``None`` where neither is there or neither makes sense; never negative.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None or (seconds := _number(value)) is not None:
        return seconds if value is not None else None
    try:
        then = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, then - (time.time() if now is None else now))


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _document(body: bytes) -> object:
    try:
        return loads(body)
    except ValueError:
        return body[:MAX_BODY_BYTES].decode("utf-8", "replace")


def _from_document(status: int, document: object) -> UpstreamStatus:
    levels = list(_levels(document))
    found = next(filter(None, (_type(level) for level in levels)), None)
    code = next(filter(None, (_code(level) for level in levels)), None)
    if code is None and found not in _NEUTRAL_TYPES:
        code = found  # OpenAI's finer types (insufficient_quota) are codes to us
    # A status that names its cause beats the body: OpenAI calls a wrong key and an unknown model
    # "invalid_request_error" too.
    by_status = type_of(status)
    vague = by_status in ("invalid_request_error", "api_error")
    return UpstreamStatus(
        _message(document) or _nothing_said(status),
        status=status,
        type=found if vague and found in _NEUTRAL_TYPES and found else by_status,
        code=code,
        param=next(filter(None, (_word(level.get("param")) for level in levels)), None),
    )


def _levels(document: object) -> Iterator[JSONObject]:
    """The objects an error may stand in, innermost first."""
    if isinstance(document, list):
        document = document[0] if document else None
    if isinstance(document, dict):
        for key in ("error", "detail"):
            if isinstance(inner := document.get(key), dict):
                yield inner
        yield document


def _type(level: JSONObject) -> str | None:
    word = _word(level.get("type"))
    return None if word is None or word == "error" or ":" in word else word  # a URI is no type


def _code(level: JSONObject) -> str | None:
    for key in _CODE_KEYS:
        word = _word(level.get(key))
        if word and not word.isdecimal():
            return _last_name(word) if "#" in word else word
    return None


def _error_status(level: JSONObject) -> int | None:
    for key in ("code", "status", "status_code"):
        value = level.get(key)
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, int) and 400 <= number <= 599:
            return number
    words = (_code(level), _type(level))
    return next(filter(None, (status_of(word) for word in words if word)), None)


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _last_name(word: str) -> str:
    """``com.amazon.coral#ValidationException:http://...`` is ``ValidationException``."""
    return word.partition(":")[0].rpartition("#")[2].strip()[:256]


def _message(document: object) -> str:
    text = _find_text(document, depth=6)
    if _LOOKS_LIKE_HTML.match(text):
        text = _without_tags(text)
    text = " ".join(text.split()) if "<" in text else text.strip()
    return text.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")


def _find_text(value: object, *, depth: int) -> str:
    if isinstance(value, str) or depth == 0:
        return value if isinstance(value, str) else ""
    if isinstance(value, list):
        found = (_find_text(item, depth=depth - 1) for item in value[:8])
        return "; ".join(filter(None, found))
    if not isinstance(value, dict):
        return ""
    where = value.get("loc")
    place = ".".join(map(str, where)) + ": " if isinstance(where, list) and where else ""
    # The object under "error" speaks before what stands beside it; a bare word there does not.
    keys = ("error", *_TEXT_KEYS) if isinstance(value.get("error"), dict) else _TEXT_KEYS
    for key in keys:
        if text := _find_text(value.get(key), depth=depth - 1).strip():
            return place + text
    return ""


def _without_tags(page: str) -> str:
    match = _TITLE.search(page)
    if match and (title := unescape(match[1]).strip()):
        return _TAG.sub(" ", title)
    text = _TAG.sub(" ", _HIDDEN.sub(" ", page[:_MAX_HTML_CHARS]))
    return " ".join(_TAG.sub(" ", unescape(text)).split())


def _nothing_said(status: int) -> str:
    try:
        phrase = f" ({HTTPStatus(status).phrase})"
    except ValueError:
        phrase = ""
    return f"The upstream answered with status {status}{phrase} and no message."
