"""What an exchange is counted as."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError, UpstreamReset
from plano_asgi.exchange import Audit, Candidate, Route
from plano_asgi.signals.base import Signal, SignalGroup, SignalReport
from plano_asgi.telemetry.instruments import INSTRUMENTS, SOURCES
from plano_asgi.telemetry.labels import LabelBook
from plano_asgi.telemetry.metric_rows import ROUTE_DECISIONS, Metric
from plano_asgi.telemetry.metrics import Metrics
from plano_asgi.telemetry.outcome import Cost, Outcome
from plano_asgi.telemetry.points import Labels, Record
from plano_asgi.telemetry.reading import Reading
from plano_asgi.telemetry.step_readings import FACTS
from telemetry.metric_outcomes import GPT, SONNET, ordinary_outcome, outcome_of, tried

_CALL = ("chat", "openai", "smart", "gpt-4o-2024-11-20", "api.example.com", "443")
_SERVED = ("openai", "gpt-4o")


class Recorded:
    """``Meters`` that keep every record."""

    def __init__(self) -> None:
        self.records: list[tuple[str, Labels, float]] = []

    def recorder(self, metric: Metric) -> Record:
        def record(labels: Labels, value: float) -> None:
            assert len(labels) == len(metric.attributes), metric.name
            self.records.append((metric.name, labels, value))

        return record

    def of(self, name: str) -> list[Any]:
        return [(labels, value) for each, labels, value in self.records if each == name]

    def names(self) -> set[str]:
        return {name for name, _, _ in self.records} - {"plano.build.info"}


def _finish(outcome: Outcome, **options: Any) -> Recorded:
    recorded = Recorded()
    Metrics([recorded], **options).finish(outcome)
    return recorded


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def test_an_ordinary_stream_records_the_conventions_metrics() -> None:
    """Names, attributes and values are those of the GenAI conventions."""
    recorded = _finish(ordinary_outcome())
    assert recorded.of("gen_ai.client.operation.duration") == [((*_CALL, ""), 2.0)]
    assert recorded.of("gen_ai.client.token.usage") == [
        ((*_CALL, "input"), 1000),
        ((*_CALL, "output"), 21),
    ]
    assert recorded.of("gen_ai.client.operation.time_to_first_chunk") == [(_CALL, 0.6)]
    ((labels, gap_s),) = recorded.of("gen_ai.client.operation.time_per_output_chunk")
    assert (labels, gap_s) == (_CALL, pytest.approx(0.2))


def test_an_ordinary_stream_records_its_upstream() -> None:
    """TTFT ends at the commit; time per token leaves out the first one and the time to it."""
    recorded = _finish(ordinary_outcome())
    assert recorded.of("plano.upstream.time_to_first_token") == [(_SERVED, pytest.approx(0.4))]
    assert recorded.of("plano.upstream.time_per_output_token") == [
        (_SERVED, pytest.approx(1.5 / 20))
    ]
    assert recorded.of("plano.upstream.duration") == [((*_SERVED, ""), pytest.approx(1.9))]
    assert recorded.of("plano.upstream.tokens") == [
        ((*_SERVED, "input", ""), 1000),
        ((*_SERVED, "output", ""), 21),
        ((*_SERVED, "cache_read", ""), 600),
        ((*_SERVED, "reasoning", ""), 5),
    ]
    assert recorded.of("plano.cost") == [(_SERVED, pytest.approx(0.0025))]
    assert recorded.of("plano.prompt_cache.lookups") == [((*_SERVED, "hit"), 1)]


def test_an_answer_in_one_piece_has_no_stream_metrics() -> None:
    """No time to a first token is made up for it."""
    names = _finish(outcome_of(stream=False)).names()
    assert not {name for name in names if "chunk" in name or "time_" in name}


@pytest.mark.parametrize(
    ("known", "labels"),
    [
        pytest.param({}, ("2xx", ""), id="good"),
        pytest.param({"status": 429, "error_type": "quota"}, ("4xx", "quota"), id="upstream-4xx"),
        pytest.param({"status": 502, "error_type": "x"}, ("5xx", "x"), id="upstream-5xx"),
        pytest.param(
            {"error_type": "upstream_reset"}, ("2xx", "upstream_reset"), id="stream-broke"
        ),
        pytest.param(
            {"status": None, "error_type": "client_disconnect"},
            ("none", "client_disconnect"),
            id="left",
        ),
    ],
)
def test_every_exchange_is_counted_once(known: dict[str, Any], labels: tuple[str, str]) -> None:
    """With its status class and its error, also where a stream broke after a 200."""
    counted = _finish(outcome_of(stream=True, **known)).of("plano.requests")
    assert counted == [(("chat", *_SERVED, "openai.chat", *labels), 1)]


def test_a_second_finish_counts_nothing(recorded: Recorded) -> None:
    """Nor does it take anything out of flight."""
    metrics, outcome = Metrics([recorded]), ordinary_outcome()
    metrics.begin(outcome.exchange)
    metrics.begin(outcome.exchange)
    metrics.finish(outcome)
    before = len(recorded.records)
    metrics.finish(outcome)
    assert len(recorded.records) == before
    labels = ("chat", "openai.chat")
    assert recorded.of("plano.requests.in_flight") == [(labels, 1), (labels, -1)]


def test_what_began_in_flight_ends_there_under_the_same_labels(recorded: Recorded) -> None:
    """Though the exchange has changed meanwhile."""
    metrics, outcome = Metrics([recorded]), ordinary_outcome()
    metrics.begin(outcome.exchange)
    outcome.exchange.operation, outcome.exchange.dialect = "embeddings", "other"
    metrics.finish(outcome)
    assert sum(value for _, value in recorded.of("plano.requests.in_flight")) == 0
    assert len({labels for labels, _ in recorded.of("plano.requests.in_flight")}) == 1


def test_retries_and_failovers_are_told_apart() -> None:
    """A retry is of the same model; a failover counts for the one gone on to."""
    outcome = outcome_of(
        tried(GPT, "rate_limit_exceeded", start=0.0),
        tried(GPT, "upstream_timeout", start=0.4),
        tried(SONNET, "ok", start=0.9),
    )
    recorded = _finish(outcome)
    sonnet = ("amazon_bedrock", "claude-sonnet")
    assert recorded.of("plano.upstream.retries") == [(_SERVED, 1)]
    assert recorded.of("plano.upstream.failovers") == [(sonnet, 1)]
    assert recorded.of("plano.upstream.errors") == [
        ((*_SERVED, "rate_limit_exceeded"), 1),
        ((*_SERVED, "upstream_timeout"), 1),
    ]
    assert recorded.of("plano.upstream.duration") == [
        ((*_SERVED, "rate_limit_exceeded"), pytest.approx(0.4)),
        ((*_SERVED, "upstream_timeout"), pytest.approx(0.4)),
        ((*sonnet, ""), pytest.approx(1.1)),
    ]
    ((call, _),) = recorded.of("gen_ai.client.operation.duration")
    assert call[1] == "aws.bedrock"


def test_a_candidate_passed_over_is_a_failover() -> None:
    """Its circuit was open: nobody tried it."""
    outcome = outcome_of(tried(SONNET))
    outcome.exchange.route = Route(candidates=(GPT, SONNET))
    assert len(_finish(outcome).of("plano.upstream.failovers")) == 1


def test_a_stream_that_breaks_is_its_upstreams_error() -> None:
    """Though the attempt was good at its commit."""
    outcome = outcome_of(stream=True, error_type="upstream_reset")
    outcome.exchange.error = UpstreamReset("cut")
    recorded = _finish(outcome)
    assert recorded.of("plano.upstream.errors") == [((*_SERVED, "upstream_reset"), 1)]
    assert not recorded.of("plano.upstream.time_per_output_token")


@pytest.mark.parametrize("attempt", ["ok", "abandoned"])
def test_a_client_that_leaves_is_no_upstream_error(attempt: str) -> None:
    """Its try's duration says so."""
    recorded = _finish(outcome_of(tried(GPT, attempt), stream=True, error_type="client_disconnect"))
    assert not recorded.of("plano.upstream.errors")
    ((labels, _),) = recorded.of("plano.upstream.duration")
    assert labels == (*_SERVED, "client_disconnect")


def test_what_a_guard_does_to_an_answer_is_no_upstream_error() -> None:
    """The upstream did well."""
    recorded = _finish(outcome_of(status=400, error_type="content_policy_violation"))
    assert not recorded.of("plano.upstream.errors")
    assert recorded.of("plano.upstream.duration")[0][0] == (*_SERVED, "")


def test_nothing_is_used_by_an_answer_from_the_cache() -> None:
    """Its tokens were counted when it was made."""
    recorded = _finish(outcome_of(facts={"cache": "hit"}))
    assert recorded.of("plano.cache.lookups") == [(("hit",), 1)]
    assert not {name for name in recorded.names() if "token" in name or "prompt_cache" in name}


def test_tokens_that_we_counted_are_told_apart() -> None:
    """They are used all the same, and the conventions want no estimates."""
    usage = Usage(input_tokens=10, output_tokens=3, estimated=True)
    recorded = _finish(outcome_of(usage=usage))
    assert recorded.of("plano.upstream.usage_missing") == [(_SERVED, 1)]
    assert recorded.of("plano.upstream.tokens") == [
        ((*_SERVED, "input", "true"), 10),
        ((*_SERVED, "output", "true"), 3),
    ]
    assert not recorded.of("gen_ai.client.token.usage")
    assert not recorded.of("plano.prompt_cache.lookups")


def test_the_server_is_who_was_asked_last() -> None:
    """Nobody, where no upstream was; too many share a series, without a port."""

    def servers(*outcomes: Outcome, **options: Any) -> list[Any]:
        recorded = Recorded()
        metrics = Metrics([recorded], **options)
        for outcome in outcomes:
            metrics.finish(outcome)
        return [labels[4:6] for labels, _ in recorded.of("gen_ai.client.operation.duration")]

    failed_over = outcome_of(tried(GPT, "timeout", address="one"), tried(SONNET, address="two"))
    cached = outcome_of(provider="", model="smart")
    cached.exchange.attempts = []
    assert servers(failed_over, cached) == [("two", "443"), ("", "")]
    many = [outcome_of(tried(address=f"host-{n}")) for n in range(3)]
    assert servers(*many, max_names=2) == [("host-0", "443"), ("host-1", "443"), ("other", "")]


def test_tokens_of_an_app_that_asks_by_itself_are_counted() -> None:
    """By the model alone."""
    outcome = outcome_of(provider="", model="gpt-4o")
    outcome.exchange.attempts = []
    recorded = _finish(outcome)
    assert recorded.of("plano.upstream.tokens") == [
        (("", "gpt-4o", "input", ""), 1000),
        (("", "gpt-4o", "output", ""), 21),
    ]


def test_a_cache_that_was_written_is_not_a_hit() -> None:
    """Writing costs more than not using it."""
    usage = Usage(input_tokens=10, output_tokens=3, cache_creation_input_tokens=8)
    recorded = _finish(outcome_of(usage=usage))
    assert recorded.of("plano.prompt_cache.lookups") == [((*_SERVED, "write"), 1)]


def test_guards_are_counted_by_what_they_found() -> None:
    """What a report-only guard would have blocked was only reported."""
    outcome = outcome_of()
    outcome.exchange.audits += [
        Audit(guard="pii", side="request", status="redacted", latency_s=0.002),
        Audit(guard="jailbreak", side="request", status="blocked", report_only=True),
        Audit(guard="pii", side="answer", status="skipped"),
    ]
    recorded = _finish(outcome)
    assert [labels for labels, _ in recorded.of("plano.guard.verdicts")] == [
        ("pii", "request", "redacted"),
        ("jailbreak", "request", "reported"),
        ("pii", "answer", "skipped"),
    ]
    assert [labels for labels, _ in recorded.of("plano.guard.duration")] == [
        ("pii", "request"),
        ("jailbreak", "request"),
    ]


def test_facts_are_counted() -> None:
    """Routing, sessions, memory, limits."""
    facts = {
        "route_name": "code",
        "route_outcome": "route",
        "route_selector": "embedding",
        "route_latency_s": 0.003,
        "session_store": "hit",
        "session_pinned": True,
        "session_switched": False,
        "switch_decision": "retained",
        "memory_hits": 3,
        "limit": "team",
    }
    recorded = _finish(outcome_of(facts=facts))
    assert recorded.of("plano.route.decisions") == [(("code", "route", "embedding"), 1)]
    assert recorded.of("plano.route.duration") == [(("embedding",), 0.003)]
    events = [labels for labels, _ in recorded.of("plano.session.events")]
    assert events == [("store_hit",), ("pinned",)]
    assert recorded.of("plano.switch.decisions") == [(("retained",), 1)]
    assert recorded.of("plano.memory.hits") == [((), 3)]
    assert recorded.of("plano.memory.recalls") == [(("hit",), 1)]
    assert recorded.of("plano.limit.rejections") == [(("team",), 1)]


def test_signals_are_counted_by_category() -> None:
    """And the conversation by its quality."""
    signal = Signal(type="execution.loops.retry", message_index=1, confidence=0.9)
    groups = {
        "loops": SignalGroup(category="loops", signals=(signal, signal)),
        "failure": SignalGroup(category="failure"),
    }
    report = SignalReport(groups=groups, quality="poor")
    recorded = _finish(outcome_of(signals=report))
    assert recorded.of("plano.signals.conversations") == [(("poor",), 1)]
    assert recorded.of("plano.signals.instances") == [(("loops",), 2)]


def test_models_past_the_limit_share_a_series() -> None:
    """But those of the catalogue."""
    recorded = Recorded()
    metrics = Metrics([recorded], known_models={"gpt-5"}, max_models=2)
    for model in ("a", "b", "c", "gpt-5", "a"):
        metrics.finish(outcome_of(tried(Candidate(provider="openai", model=model))))
    shown = [labels[2] for labels, _ in recorded.of("plano.requests")]
    assert shown == ["a", "b", "other", "gpt-5", "a"]


def test_names_that_clients_make_up_take_no_place() -> None:
    """A model that nobody was asked for is ``other``."""
    recorded = _finish(
        outcome_of(provider="", model="junk", status=404, error_type="model_not_found")
    )
    ((labels, _),) = recorded.of("plano.requests")
    assert labels[1:3] == ("", "other")


def test_upstream_codes_are_bounded() -> None:
    """An upstream may answer with any."""
    recorded = Recorded()
    metrics = Metrics([recorded])
    for number in range(100):
        metrics.finish(outcome_of(tried(GPT, f"code-{number}"), error_type=f"code-{number}"))
    errors = {labels[-1] for labels, _ in recorded.of("plano.upstream.errors")}
    assert len(errors) == 65
    assert "other" in errors


def test_hooks_move_gauges(recorded: Recorded) -> None:
    """Tries under way, circuits, spans that were dropped, the version."""
    metrics = Metrics([recorded], version="1.2.3")
    metrics.upstream_began("openai", "gpt-4o")
    metrics.upstream_ended("openai", "gpt-4o")
    metrics.breaker("openai/gpt-4o", "open")
    metrics.breaker("openai/gpt-4o", "half_open")
    metrics.breaker("openai/gpt-4o", "closed")
    metrics.dropped(7, "SpanStore")
    assert recorded.of("plano.upstream.in_flight") == [(_SERVED, 1), (_SERVED, -1)]
    assert [value for _, value in recorded.of("plano.upstream.breaker.state")] == [2, -1, -1]
    assert recorded.of("plano.telemetry.dropped") == [(("SpanStore",), 7)]
    assert recorded.of("plano.build.info") == [(("1.2.3",), 1)]


def test_a_circuit_without_a_series_of_its_own_is_not_told() -> None:
    """One state cannot stand for many."""
    recorded = Recorded()
    metrics = Metrics([recorded], max_models=1)
    for model in ("a", "b", "c"):
        metrics.breaker(f"openai/{model}", "open")
    assert recorded.of("plano.upstream.breaker.state") == [(("openai", "a"), 2)]


def test_instruments_can_be_left_out() -> None:
    """By their names, which are checked."""
    recorded = _finish(
        ordinary_outcome(), leave_out={"plano.upstream.duration", "plano.build.info"}
    )
    assert "plano.upstream.duration" not in recorded.names()
    assert not recorded.of("plano.build.info")
    with pytest.raises(ConfigurationError, match=r"'plano\.nothing'"):
        Metrics([], leave_out={"plano.nothing"})


def test_every_backend_hears_everything() -> None:
    """In the same words."""
    first, second = Recorded(), Recorded()
    Metrics([first, second]).finish(outcome_of(cost=Cost(input_usd=1, output_usd=2)))
    assert first.records == second.records
    assert first.names() <= set(INSTRUMENTS)


class _Asked(dict[str, Any]):
    """Facts that note which of them are read, and have all."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return "x"


def test_every_fact_that_is_counted_is_looked_for() -> None:
    """Exchanges without any of them are not read for them at all."""
    outcome = ordinary_outcome()
    asked = outcome.exchange.facts = _Asked()
    reading = Reading(outcome, LabelBook())
    asked.names.clear()
    (source,) = (source for source in SOURCES if ROUTE_DECISIONS in source.reads)
    assert not source.has(reading)
    for read in source.reads.values():
        read(reading)
    assert asked.names - {"route_name", "route_selector"} == FACTS
