"""Configurations of every kind Plano knows, in its own format, load unmodified."""

from __future__ import annotations

import pytest

from plano_asgi.config import PlanoConfig, load_config

ENVIRON = {"OPENAI_API_KEY": "k1", "ANTHROPIC_API_KEY": "k2", "DB_PASSWORD": "p"}

MULTI_PROVIDER = """
version: v0.3.0
listeners:
  - {type: model, name: llms, address: 127.0.0.1, port: 12000, timeout: 30s, max_retries: 2}
model_providers:
  - model: openai/gpt-4o
    access_key: $OPENAI_API_KEY
    default: true
  - model: anthropic/claude-sonnet-4-5
    access_key: ${ANTHROPIC_API_KEY}
  - model: together_ai/openai/gpt-oss-20b
    access_key: literal
  - model: azure_openai/gpt-4o
    base_url: https://mine.openai.azure.com
    access_key: $OPENAI_API_KEY
  - model: ollama/llama3.1
    base_url: http://localhost:11434
  - model: in_house/llama
    base_url: https://llm.example
    http_host: llm.internal
    provider_interface: openai
    headers: {X-Team: search}
"""

ALIASES = """
version: v0.1
listeners:
  egress_traffic: {address: 0.0.0.0, port: 12000, message_format: openai, timeout: 30s}
llm_providers:
  - model: openai/gpt-4o-mini
    access_key: $OPENAI_API_KEY
  - model: amazon_bedrock/us.amazon.nova-pro-v1:0
    access_key: $ANTHROPIC_API_KEY
    base_url: https://bedrock-runtime.us-west-2.amazonaws.com
model_aliases:
  arch.summarize.v1: {target: gpt-4o-mini}
  coding: {target: "us.amazon.nova-pro-v1:0"}
  gpt-4o-mini: {target: openai/gpt-4o-mini}
"""

INLINE_PREFERENCES = """
version: v0.3.0
listeners:
  - {type: model, name: m, port: 12000}
model_providers:
  - model: openai/gpt-4o
    access_key: $OPENAI_API_KEY
    routing_preferences:
      - {name: code understanding, description: explain existing code}
  - model: anthropic/claude-sonnet-4-5
    access_key: $ANTHROPIC_API_KEY
    routing_preferences:
      - {name: code generation, description: write new code}
"""

PREFERENCES = """
version: v0.4.0
overrides: {llm_routing_model: Plano-Orchestrator}
listeners:
  - {type: model, name: m, port: 12000}
model_providers:
  - {model: openai/*, access_key: $OPENAI_API_KEY}
  - {model: anthropic/claude-opus-4-5, access_key: $ANTHROPIC_API_KEY}
model_metrics_sources:
  - {type: cost, provider: models.dev, refresh_interval: 86400}
  - {type: latency, provider: prometheus, url: "http://prom:9090", query: "ttft{a=\\"b\\"}"}
routing_preferences:
  - name: code
    description: writing code
    models: [anthropic/claude-opus-4-5, openai/gpt-4o]
    selection_policy: {prefer: cheapest}
  - name: talk
    description: conversation
    models: [openai/gpt-4o-mini]
    selection_policy: {prefer: null}
routing:
  session_ttl_seconds: 600
  session_max_entries: 1000
  session_cache: {type: redis, url: "redis://localhost:6379", tenant_header: x-org-id}
  routing_budget: {max_switch_spend_pct: 25, record_counterfactual: true}
  route_on_user_only: true
prompt_caching: {enabled: true, session_affinity: true, min_prefix_tokens: 2048}
"""

AGENTS = """
version: v0.3.0
agents:
  - {id: weather, url: "http://localhost:10510"}
  - {id: flights, url: "http://localhost:10520/v1/chat/completions"}
filters:
  - {id: rewrite, url: "http://localhost:10501", type: mcp, transport: streamable-http, tool: r}
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
listeners:
  - type: agent
    name: travel
    port: 8001
    router: plano_orchestrator_v1
    agents:
      - {id: weather, description: forecasts, filter_chain: [rewrite]}
      - {id: flights, description: flights, default: true, input_filters: [rewrite]}
"""

FILTERS = """
version: v0.3.0
filters:
  - {id: anonymize, url: "http://localhost:10501/anonymize", type: http}
  - {id: deanonymize, url: "http://localhost:10501/deanonymize", type: http}
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY}
listeners:
  - type: model
    name: m
    port: 12000
    input_filters: [anonymize]
    output_filters: [deanonymize]
"""

PROMPT_TARGETS = """
version: v0.3.0
listeners:
  - {type: prompt, name: p, port: 10000}
  - {type: model, name: m, port: 12000}
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
endpoints:
  weather: {endpoint: "localhost:18083", connect_timeout: 0.005s}
  rates: {endpoint: api.example.com, protocol: https, http_host: api.example.com}
system_prompt: |
  You are helpful.
prompt_targets:
  - name: get_weather
    description: Weather at a place.
    parameters:
      - {name: place, description: where, required: true, type: string, format: "City, State"}
      - {name: days, description: how many, type: int, default: 3, enum: [1, 3]}
      - {name: metric, description: units, type: bool, default: false}
    endpoint: {name: weather, path: "/w?p={place}", http_method: POST, http_headers: {X-A: b}}
  - name: fallback
    description: anything else
    default: true
    endpoint: {name: rates, path: /any}
    auto_llm_dispatch_on_response: false
prompt_guards:
  input_guards: {jailbreak: {on_exception: {message: "I cannot help with that."}}}
ratelimits:
  - model: gpt-4o
    selector: {key: x-user-id, value: "*"}
    limit: {tokens: 1000, unit: hour}
overrides: {prompt_target_intent_matching_threshold: 0.6, optimize_context_window: true}
mode: prompt
"""

LEGACY_LISTENERS = """
version: 0.1-beta
listeners:
  ingress_traffic: {address: 0.0.0.0, port: 10000, message_format: openai, timeout: 5s}
  egress_traffic: {port: 12001}
llm_providers:
  - {name: openai/gpt-4o, model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
tracing: {sampling_rate: 0.1}
"""

STATE_STORAGE = """
version: v0.3.0
listeners:
  - {type: model, name: m, port: 12000}
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY}
state_storage:
  type: postgres
  connection_string: "postgresql://plano:$DB_PASSWORD@localhost:5432/plano"
"""

TRACING = """
version: v0.3.0
listeners:
  - {type: model, name: m, port: 12000}
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY}
tracing:
  random_sampling: 100
  trace_arch_internal: true
  opentracing_grpc_endpoint: http://localhost:4317
  span_attributes: {header_prefixes: [x-user-], static: {env: prod, service.team: ml}}
  exporters:
    - {type: posthog, url: "https://ph.example", api_key: $OPENAI_API_KEY, capture_messages: true}
"""

PASSTHROUGH = """
version: v0.3.0
listeners: {egress_traffic: {port: 12000}}
model_providers:
  - {name: through, model: openai/gpt-4o, passthrough_auth: true}
  - {model: chatgpt/*}
"""

WILDCARDS = """
version: v0.3.0
listeners:
  - {type: model, name: llms, port: 12000}
model_providers:
  - {model: openai/*, access_key: $OPENAI_API_KEY}
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
  - {model: ollama/*, base_url: "https://llm.internal.example"}
model_aliases:
  fast: {target: openai/gpt-4o-mini}
"""

OURS = """
version: v0.4.0
model_providers:
  - model: azure_openai/gpt-4o
    base_url: https://mine.openai.azure.com
    access_key: $OPENAI_API_KEY
    api_version: 2024-10-21
    timeouts: {connect_s: 2, read_s: 60, first_token_s: 10.5, total_s: 300}
    drop_unsupported: true
  - model: amazon_bedrock/*
    region: eu-west-1
    access_key: $ANTHROPIC_API_KEY
    dialects: {anthropic.messages: bedrock.converse}
model_aliases:
  smart:
    targets:
      - {model: azure_openai/gpt-4o, weight: 90}
      - {model: amazon_bedrock/nova, weight: 10}
    fallbacks: [amazon_bedrock/other]
auth: {api_keys: [$OPENAI_API_KEY-for-clients]}
limits: {max_body_bytes: 1000000}
retries: {max_attempts: 3, initial_delay_s: 0.1, max_delay_s: 2}
cors: {allow_origins: ["https://app.example"]}
"""

FORMATS = {
    "multi provider": MULTI_PROVIDER,
    "aliases": ALIASES,
    "inline preferences": INLINE_PREFERENCES,
    "preferences": PREFERENCES,
    "agents": AGENTS,
    "filters": FILTERS,
    "prompt targets": PROMPT_TARGETS,
    "legacy listeners": LEGACY_LISTENERS,
    "state storage": STATE_STORAGE,
    "tracing": TRACING,
    "passthrough": PASSTHROUGH,
    "wildcards": WILDCARDS,
    "ours": OURS,
}


def loaded(name: str) -> PlanoConfig:
    """The configuration *name* of ``FORMATS``."""
    environ = {**ENVIRON, "OPENAI_API_KEY": "key-one"}
    return load_config(FORMATS[name], environ=environ)


@pytest.mark.parametrize("name", FORMATS)
def test_every_kind_of_configuration_loads(name: str) -> None:
    """At the current version, with one model listener."""
    config = loaded(name)
    assert config.version == "v0.4.0"
    assert config.model_listener is not None


def test_providers_are_read_whole() -> None:
    """Prefix, id, interface, wildcard and default of each entry."""
    entries = loaded("multi provider").model_providers
    assert [(entry.provider, entry.model_id, entry.interface) for entry in entries] == [
        ("openai", "gpt-4o", "openai"),
        ("anthropic", "claude-sonnet-4-5", "anthropic"),
        ("together_ai", "openai/gpt-oss-20b", "together_ai"),
        ("azure_openai", "gpt-4o", "azure_openai"),
        ("ollama", "llama3.1", "ollama"),
        ("in_house", "llama", "openai"),
    ]
    assert loaded("multi provider").default_provider == entries[0]
    assert entries[-1].headers["X-Team"].get_secret_value() == "search"
    assert [entry.is_wildcard for entry in loaded("wildcards").model_providers] == [
        *(True, False, True)
    ]
    assert [entry.full_name for entry in loaded("passthrough").model_providers] == [
        *("through", "chatgpt/*")
    ]


def test_inline_preferences_are_read_as_top_level_ones() -> None:
    """v0.3 and v0.4 say the same."""
    preferences = loaded("inline preferences").routing_preferences
    assert [(item.name, item.models, item.prefer) for item in preferences] == [
        ("code understanding", ("openai/gpt-4o",), "none"),
        ("code generation", ("anthropic/claude-sonnet-4-5",), "none"),
    ]
    assert [item.prefer for item in loaded("preferences").routing_preferences] == [
        *("cheapest", "none")
    ]


def test_durations_are_seconds() -> None:
    """Plano's ``0.005s`` and ``30s``; defaults by listener."""
    weather = loaded("prompt targets").endpoints["weather"]
    assert weather.connect_timeout_s == 0.005
    assert loaded("multi provider").listeners[0].timeout_s == 30.0
    assert loaded("agents").listeners[0].timeout_s == 30.0
    assert loaded("legacy listeners").listeners[0].timeout_s == 300.0


def test_parameters_keep_their_types() -> None:
    """A default of 3 is a number, false is a switch."""
    days, metric = loaded("prompt targets").prompt_targets[0].parameters[1:]
    assert (days.default, days.enum, metric.default) == (3, (1, 3), False)
    assert metric.default is False


def test_filters_have_a_tool() -> None:
    """Named, or like the filter."""
    assert [item.tool_name for item in loaded("agents").filters] == ["r"]
    assert [item.tool_name for item in loaded("filters").filters] == ["anonymize", "deanonymize"]


def test_our_own_keys_are_read() -> None:
    """Next to Plano's, with units in their names."""
    config = loaded("ours")
    azure, bedrock = config.model_providers
    assert (azure.api_version, azure.drop_unsupported) == ("2024-10-21", True)
    assert azure.timeouts.model_dump() == {
        "connect_s": 2.0,
        "read_s": 60.0,
        "first_token_s": 10.5,
        "total_s": 300.0,
    }
    assert bedrock.dialects == {"anthropic.messages": "bedrock.converse"}
    smart = config.model_aliases["smart"]
    assert [(item.model, item.weight) for item in smart.targets] == [
        ("azure_openai/gpt-4o", 90.0),
        ("amazon_bedrock/nova", 10.0),
    ]
    assert smart.references == (
        *("azure_openai/gpt-4o", "amazon_bedrock/nova", "amazon_bedrock/other"),
    )
    assert config.auth is not None
    assert config.auth.api_keys[0].get_secret_value() == "key-one-for-clients"
    assert (config.retries.max_attempts, config.limits.max_body_bytes) == (3, 1_000_000)
    assert config.cors is not None
    assert config.cors.allow_origins == ("https://app.example",)
