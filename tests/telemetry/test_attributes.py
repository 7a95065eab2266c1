"""What the span of an exchange says."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from exchanges import chat_exchange, exchange_of
from plano_asgi.conversation import ChatResponse, Usage
from plano_asgi.exchange import Attempt, Candidate
from plano_asgi.providers.profiles import PROFILES
from plano_asgi.telemetry.attribute_values import Attributes, attribute_text
from plano_asgi.telemetry.attributes import (
    FACTS,
    PROVIDER_NAMES,
    operation_name,
    outcome_attributes,
    plano_attributes,
    provider_name,
    request_attributes,
    span_name,
    triage_attributes,
)
from plano_asgi.telemetry.outcome import Cost, Outcome
from plano_asgi.telemetry.semconv import NEXT, RELEASED

CHAT, RESPONSES, MESSAGES = "openai.chat", "openai.responses", "anthropic.messages"


def asked(dialect: str, **body: Any) -> Attributes:
    """The attributes of a request, without those that every one has."""
    found = request_attributes(exchange_of(dialect, {"model": "m", **body}), RELEASED)
    for name in ("operation.name", "request.model"):
        del found[f"gen_ai.{name}"]
    for name in ("plano.request.id", "plano.dialect"):
        del found[name]
    found.pop("openai.api.type", None)
    return found


def test_chat_request() -> None:
    """All that the conventions name, with their types."""
    exchange = chat_exchange(
        temperature=1,
        top_p=0.5,
        max_completion_tokens=100,
        seed=7,
        stop="END",
        n=2,
        frequency_penalty=0.1,
        presence_penalty=-1,
        response_format={"type": "json_schema", "json_schema": {}},
        reasoning_effort="high",
        service_tier="flex",
        stream=True,
    )
    found = request_attributes(exchange, RELEASED)
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": -1.0,
        "gen_ai.request.stream": True,
        "gen_ai.output.type": "json",
        "openai.api.type": "chat_completions",
        "openai.request.service_tier": "flex",
        "plano.request.id": "req_1",
        "plano.dialect": "openai.chat",
        "plano.request.reasoning_level": "high",
    }
    assert type(found["gen_ai.request.temperature"]) is float


def test_messages_request() -> None:
    """Anthropic's names for the same."""
    body = {
        "max_tokens": 10,
        "top_k": 4,
        "stop_sequences": ["a", "b"],
        "output_config": {"effort": "low", "format": {"type": "json_schema"}},
        "service_tier": "standard_only",
    }
    assert asked(MESSAGES, **body) == {
        "gen_ai.request.max_tokens": 10,
        "gen_ai.request.top_k": 4.0,
        "gen_ai.request.stop_sequences": ("a", "b"),
        "gen_ai.output.type": "json",
        "plano.request.reasoning_level": "low",
    }


def test_responses_request() -> None:
    """Responses' names for the same, and its threads."""
    body = {
        "max_output_tokens": 10,
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": "low"},
        "conversation": {"id": "conv_1"},
        "previous_response_id": "resp_1",
        "service_tier": "auto",
    }
    assert asked(RESPONSES, **body) == {
        "gen_ai.request.max_tokens": 10,
        "gen_ai.output.type": "text",
        "gen_ai.conversation.id": "conv_1",
        "plano.request.reasoning_level": "low",
        "plano.request.previous_response_id": "resp_1",
    }
    assert asked(RESPONSES, conversation="conv_2") == {"gen_ai.conversation.id": "conv_2"}


def test_opted_in_names_take_the_place_of_ours() -> None:
    """On opt-in the conventions' next names, and not ours beside them."""
    body = {"model": "m", "reasoning": {"effort": "low"}, "previous_response_id": "resp_1"}
    found = request_attributes(exchange_of(RESPONSES, body), NEXT)
    assert found["gen_ai.request.reasoning.level"] == "low"
    assert found["gen_ai.request.previous_response.id"] == "resp_1"
    assert not any(name.startswith("plano.request.r") for name in found)
    without = chat_exchange()
    assert request_attributes(without, NEXT) == request_attributes(without, RELEASED)
    usage = Usage(cache_creation_input_tokens=2)
    found = outcome_attributes(Outcome(exchange=chat_exchange(), usage=usage), NEXT)
    assert found["gen_ai.usage.cache_write.input_tokens"] == 2
    assert "gen_ai.usage.cache_creation.input_tokens" not in found


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"temperature": "hot", "top_p": True, "top_k": None}, id="numbers"),
        pytest.param({"max_tokens": 1.5, "seed": 1 << 70, "n": "2"}, id="integers"),
        pytest.param({"n": 1, "service_tier": "auto", "stop": []}, id="defaults"),
        pytest.param({"stop": [{"secret": 1}], "response_format": "json"}, id="shapes"),
        pytest.param({"response_format": {"type": ["json"]}, "reasoning_effort": {}}, id="types"),
    ],
)
def test_fields_of_a_wrong_type_say_nothing(body: dict[str, Any]) -> None:
    """The body is the client's, unchecked: what no exporter could write is left out."""
    assert asked(CHAT, **body) == {}


def test_texts_of_a_client_are_cut_and_can_be_encoded() -> None:
    """A model's name may be anything."""
    exchange = chat_exchange(model="\ud83d" + "x" * 1000, stop=["y" * 1000] * 50)
    found = request_attributes(exchange, RELEASED)
    model, stops = found["gen_ai.request.model"], found["gen_ai.request.stop_sequences"]
    assert model == "?" + "x" * 255
    assert isinstance(stops, tuple)
    assert [len(stop) for stop in stops] == [256] * 16
    assert attribute_text("é") == "é"


def test_whatever_a_client_sends_can_be_exported() -> None:
    """One request cannot spoil the batch its span is in."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    exchange = chat_exchange(
        model="\ud800", stop=["\udfff"], seed=1 << 80, temperature=1 << 80, service_tier="\udc00"
    )
    exchange.facts["alias"] = "\ud800"
    outcome = Outcome(exchange=exchange, response_model="\ud800", finish_reasons=("\ud800",))
    attributes = request_attributes(exchange, RELEASED) | outcome_attributes(outcome, RELEASED)
    with provider.get_tracer("test").start_as_current_span(span_name(exchange)) as span:
        span.set_attributes(attributes)
    encoded = encode_spans(memory.get_finished_spans()).SerializeToString()
    assert len(memory.get_finished_spans()[0].attributes or {}) == len(attributes)
    assert b"plano.alias" in encoded


def test_embeddings_request() -> None:
    """Formats and dimensions; no API type, which is of chats."""
    exchange = chat_exchange(encoding_format="base64", dimensions=256)
    exchange.operation = "/embeddings"
    found = request_attributes(exchange, RELEASED)
    assert found["gen_ai.operation.name"] == "embeddings"
    assert found["gen_ai.request.encoding_formats"] == ("base64",)
    assert found["gen_ai.embeddings.dimension.count"] == 256
    assert "openai.api.type" not in found


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("chat", "chat"),
        ("/completions", "text_completion"),
        ("/embeddings", "embeddings"),
        ("/images/generations", "images_generations"),
        ("route", "route"),
    ],
)
def test_operations_have_the_conventions_word(operation: str, name: str) -> None:
    """Where there is one; else the path's."""
    exchange = chat_exchange()
    exchange.operation = operation
    assert operation_name(exchange) == name
    assert span_name(exchange) == f"{name} gpt-4o"
    exchange.model = None
    assert span_name(exchange) == name


def test_an_unknown_dialect_is_told_nothing_of() -> None:
    """A foreign route has no fields we know."""
    exchange = chat_exchange(temperature=1)
    exchange.dialect = "foreign"
    assert "gen_ai.request.temperature" not in request_attributes(exchange, RELEASED)


def test_provider_names_are_those_of_our_catalogue() -> None:
    """Each translated key is one of ours, and no other would be mistaken."""
    assert PROVIDER_NAMES.keys() <= PROFILES.keys()
    assert provider_name("amazon_bedrock") == "aws.bedrock"
    assert provider_name("my-own") == "my-own"
    assert provider_name("", MESSAGES) == "anthropic"
    assert provider_name("", "foreign") == ""


def test_outcome_of_a_whole_stream() -> None:
    """Everything there is."""
    exchange = chat_exchange(stream=True)
    candidate = Candidate(provider="azure_openai", model="gpt-4o-eu")
    exchange.attempts += [Attempt(candidate=candidate, started=0.0)] * 2
    exchange.facts |= {"route_name": "code", "route_cached": False, "memory_hits": 3, "mine": 1.5}
    outcome = Outcome(
        exchange=exchange,
        provider="azure_openai",
        model="gpt-4o-eu",
        status=200,
        usage=Usage(
            input_tokens=10,
            output_tokens=5,
            cache_read_input_tokens=4,
            cache_creation_input_tokens=2,
            reasoning_output_tokens=3,
            estimated=True,
        ),
        cost=Cost(input_usd=0.25, output_usd=0.5, is_estimated=True),
        answer=ChatResponse(
            dialect=CHAT, service_tier="default", extras={"system_fingerprint": "fp_1"}
        ),
        response_id="chatcmpl-1",
        response_model="gpt-4o-2024",
        finish_reasons=("stop",),
        request_bytes=100,
        response_bytes=200,
        chunks=7,
        duration_s=2.0,
        first_chunk_s=0.5,
    )
    assert outcome_attributes(outcome, RELEASED) == {
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_creation.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 3,
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_1",
        "http.response.status_code": 200,
        "plano.provider": "azure_openai",
        "plano.model": "gpt-4o-eu",
        "plano.attempts": 2,
        "plano.request.bytes": 100,
        "plano.response.bytes": 200,
        "plano.response.chunks": 7,
        "plano.usage.estimated": True,
        "plano.cost.total_usd": 0.75,
        "plano.cost.input_usd": 0.25,
        "plano.cost.output_usd": 0.5,
        "plano.cost.estimated": True,
        "plano.route.name": "code",
        "plano.route.cached": False,
        "plano.memory.hits": 3,
        "plano.mine": 1.5,
    }


def test_outcome_of_a_failure() -> None:
    """An error and a client who left; the provider is guessed from the client's API."""
    exchange = chat_exchange()
    exchange.disconnected = True
    outcome = Outcome(exchange=exchange, error_type="client_disconnect", first_chunk_s=0.1)
    assert outcome_attributes(outcome, RELEASED) == {
        "gen_ai.provider.name": "openai",
        "error.type": "client_disconnect",
        "plano.disconnected": True,
        "plano.request.bytes": 0,
        "plano.response.bytes": 0,
    }


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ChatResponse(dialect=CHAT), id="says nothing"),
        pytest.param(ChatResponse(dialect=CHAT, extras={"system_fingerprint": 1}), id="nonsense"),
        pytest.param(ChatResponse(dialect=MESSAGES, service_tier="standard"), id="Anthropic's"),
    ],
)
def test_openai_attributes_are_of_openai_answers(answer: ChatResponse) -> None:
    """And only where they are there."""
    found = outcome_attributes(Outcome(exchange=chat_exchange(), answer=answer), RELEASED)
    assert not any(name.startswith("openai.") for name in found)


def test_an_outcome_that_says_next_to_nothing() -> None:
    """Of a foreign route, with a request that named no model."""
    exchange = chat_exchange(stream=True)
    exchange.dialect, exchange.model = "foreign", None
    assert "gen_ai.request.model" not in request_attributes(exchange, RELEASED)
    usage = Usage(input_tokens=1, output_tokens=0)
    found = outcome_attributes(
        Outcome(exchange=exchange, usage=usage, cost=Cost(input_usd=0, output_usd=0)), RELEASED
    )
    assert found == {
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 0,
        "plano.request.bytes": 0,
        "plano.response.bytes": 0,
        "plano.response.chunks": 0,
        "plano.cost.total_usd": 0,
        "plano.cost.input_usd": 0,
        "plano.cost.output_usd": 0,
    }


@pytest.mark.parametrize(
    ("body", "facts", "thread"),
    [
        pytest.param({}, {"state_thread": "t", "session_id": "s"}, "t", id="kept by us"),
        pytest.param({}, {"session_id": "s"}, "s", id="session"),
        pytest.param({"conversation": "c"}, {"session_id": "s"}, None, id="named by the client"),
        pytest.param({}, {"route_name": "r"}, None, id="none"),
    ],
)
def test_conversation_id(body: dict[str, Any], facts: dict[str, Any], thread: str | None) -> None:
    """The thread we keep, else the client's, told of the request; else the session."""
    exchange = exchange_of(RESPONSES, {"model": "m", "input": "x", **body})
    exchange.facts |= facts
    found = outcome_attributes(Outcome(exchange=exchange), RELEASED)
    assert found.get("gen_ai.conversation.id") == thread


def test_facts_have_attributes_of_their_own() -> None:
    """No two facts under one name."""
    assert len(set(FACTS.values())) == len(FACTS)
    exchange = chat_exchange()
    exchange.facts["alias"] = "\ud800" * 1000
    found = outcome_attributes(Outcome(exchange=exchange), RELEASED)
    assert found["plano.alias"] == "?" * 256


def test_triage() -> None:
    """The decision, as the processor in front of the exporters reads it."""
    decision: Any = SimpleNamespace(keep=False, score=1, reason="over budget")
    assert triage_attributes(decision) == {
        "plano.triage.keep": False,
        "plano.triage.score": 1.0,
        "plano.triage.reason": "over budget",
    }


def test_planos_own_names() -> None:
    """Milliseconds and token names as Plano has them."""
    outcome = Outcome(
        exchange=chat_exchange(temperature=0.5),
        provider="openai",
        model="gpt-4o",
        status=200,
        usage=Usage(input_tokens=10, output_tokens=5, cache_read_input_tokens=4),
        cost=Cost(input_usd=0.25, output_usd=0.5),
        response_bytes=9,
        duration_s=1.2344,
        first_chunk_s=0.5,
    )
    assert plano_attributes(outcome) == {
        "llm.model": "gpt-4o",
        "llm.provider": "openai",
        "llm.temperature": "0.5",
        "llm.duration_ms": 1234,
        "llm.time_to_first_token": 500,
        "llm.response_bytes": 9,
        "llm.usage.prompt_tokens": 10,
        "llm.usage.completion_tokens": 5,
        "llm.usage.total_tokens": 15,
        "llm.usage.cached_input_tokens": 4,
        "llm.usage.cache_creation_tokens": 0,
        "llm.usage.reasoning_tokens": 0,
        "llm.usage.input_cost_usd": 0.25,
        "llm.usage.output_cost_usd": 0.5,
        "llm.usage.total_cost_usd": 0.75,
        "http.status_code": 200,
    }
    bare = plano_attributes(Outcome(exchange=chat_exchange()))
    assert bare == {"llm.duration_ms": 0, "llm.response_bytes": 0}


def test_both_sets_of_names_differ_throughout() -> None:
    """A name that did not change is a constant."""
    for field in fields(RELEASED):
        assert getattr(RELEASED, field.name) != getattr(NEXT, field.name)
