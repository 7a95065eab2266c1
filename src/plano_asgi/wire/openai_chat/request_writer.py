"""
The neutral request, written as a chat body.

A request that was read from a chat body is written back field for field (see ``request_reader``).
Of another dialect's request:

* reasoning in the history is left out, no chat upstream can check its proof; but what a chat
  upstream thought goes back as ``reasoning_content``: some demand it, ``providers.quirk_rows``
  says who refuses it;
* a long ``user`` is left out (see ``MAX_USER_CHARS``);
* Anthropic's web search becomes ``web_search_options``;
* citations and cache hints are left out, they change no meaning;
* media in a tool's answer follow in a user message after that group of tool messages, whose
  content is text alone;
* a failed tool's text starts with "Error: ", chat has no flag for it;
* neighbouring assistant messages that call tools become one, so that every answer follows its call;
* ``top_k`` is left out (a sampling hint), ``metadata`` too (it only labels stored answers);
* a thinking budget becomes an effort;
* what remains is carried, left out or refused by the tables of ``foreign``.
"""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, OutputFormat, Reasoning
from plano_asgi.errors import UnsupportedField
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.foreign import OPENAI_DIALECTS, Refuse, shared_user
from plano_asgi.wire.openai_chat.fields import NAME, present
from plano_asgi.wire.openai_chat.foreign import write_foreign_extras
from plano_asgi.wire.openai_chat.history import MessageWriter
from plano_asgi.wire.openai_chat.request_reader import SCALARS, read_effort
from plano_asgi.wire.openai_chat.tools import write_tool_choice, write_tools, write_web_search

_ONE_VENDOR_ONLY = frozenset({"service_tier"})
_OWN_ONLY = frozenset({"top_k", "metadata"})

_EFFORT_BELOW = ((1, "none"), (4096, "low"), (16384, "medium"))
"""Upper bounds of a thinking budget, in tokens, for each effort; "high" above them."""
_EFFORT_WORDS = {"max": "xhigh"}


def write_request(request: ChatRequest, options: WriteOptions) -> JSONObject:
    """
    Write a body.

    Raises:
        UnsupportedField: Something of another dialect that chat cannot say, unless *options* drop.
    """
    refuse = _refuser(options)
    own = request.dialect == NAME
    body: JSONObject = {
        "model": request.model,
        "messages": MessageWriter(request.dialect, refuse).write(request.messages),
    }
    body |= _scalars(request)
    body |= present(
        max_completion_tokens=request.max_output_tokens,
        stop=request.stop or None,
        response_format=_write_format(request.output_format, own=own),
        tools=write_tools(request, refuse) or None,
        tool_choice=write_tool_choice(request, refuse),
        web_search_options=write_web_search(request, refuse),
    )
    if not own and "tools" not in body:
        for key in ("tool_choice", "parallel_tool_calls"):
            body.pop(key, None)  # refused without tools
    body |= _write_effort(request.reasoning, own=own)
    if request.stream:
        body["stream"] = True
    extras = dict(request.extras) if own else write_foreign_extras(request, refuse)
    stream_options = extras.pop("stream_options", {})
    if request.include_usage or (request.stream and not own):  # other streams always carry usage
        stream_options = {"include_usage": True, **stream_options}
    return body | present(stream_options=stream_options or None) | extras


def _refuser(options: WriteOptions) -> Refuse:
    def refuse(field: str, reason: str = "") -> None:
        if options.on_unsupported == "error":
            raise UnsupportedField(field, NAME, reason)

    return refuse


def _scalars(request: ChatRequest) -> JSONObject:
    left_out: frozenset[str] = frozenset()
    if request.dialect != NAME:
        left_out = _OWN_ONLY
        if request.dialect not in OPENAI_DIALECTS:
            left_out |= _ONE_VENDOR_ONLY
    fields = {key: getattr(request, key) for key in SCALARS if key not in left_out}
    return present(**fields | {"user": shared_user(request)})


def _write_format(form: OutputFormat | None, *, own: bool) -> JSONObject | None:
    if form is None or form.kind != "json_schema":
        return None if form is None else {"type": form.kind}
    schema = present(
        name=form.name or (None if own else "response"),  # the reference API demands one
        description=form.description,
        schema=form.schema,
        strict=form.strict,
    )
    return {"type": "json_schema", "json_schema": schema}


def _write_effort(reasoning: Reasoning | None, *, own: bool) -> JSONObject:
    """As it came if nobody changed it, else one ``reasoning_effort``."""
    if reasoning is None:
        return {}
    if own and read_effort(reasoning.extras) == reasoning:
        return reasoning.extras
    return present(reasoning_effort=_effort(reasoning))


def _effort(reasoning: Reasoning) -> str | None:
    if reasoning.enabled is False:
        return "none"
    if reasoning.effort is not None:
        return _EFFORT_WORDS.get(reasoning.effort, reasoning.effort)
    if reasoning.budget_tokens is not None:
        bounds = _EFFORT_BELOW
        return next((word for below, word in bounds if reasoning.budget_tokens < below), "high")
    return "medium" if reasoning.enabled and not reasoning.adaptive else None
