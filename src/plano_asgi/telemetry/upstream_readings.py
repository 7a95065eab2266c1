"""What an exchange says of its upstreams: pure functions of one ``Reading``."""

from __future__ import annotations

from itertools import pairwise

from plano_asgi.telemetry.reading import (
    ABANDONED,
    CLIENT_DISCONNECT,
    NOTHING,
    Observations,
    Reading,
)

_NOT_UPSTREAMS = frozenset({"", CLIENT_DISCONNECT, ABANDONED})


def upstream_duration(reading: Reading) -> Observations:
    """One record for each try; that of an answer that was served ends with the exchange."""
    attempts = reading.exchange.attempts
    last = attempts[-1]
    found = []
    for attempt in attempts:
        ended = attempt.ended
        if ended is None or (attempt is last and attempt.outcome == "ok"):
            ended = reading.end_s
        labels = (*reading.labels_of(attempt.candidate), reading.error_of(attempt))
        found.append((labels, max(0.0, ended - attempt.started)))
    return found


def first_token(reading: Reading) -> Observations:
    """From sending to the upstream's first content, before anything of ours holds it back."""
    if (commit_s := reading.commit_s) is None:
        return NOTHING
    return ((reading.served, max(0.0, commit_s - reading.exchange.attempts[-1].started)),)


def output_token(reading: Reading) -> Observations:
    """Without the first token, and without the time to it; of streams that ended well."""
    commit_s, used = reading.commit_s, reading.used
    if commit_s is None or used is None or used.output_tokens < 2 or reading.error:
        return NOTHING
    return ((reading.served, max(0.0, reading.end_s - commit_s) / (used.output_tokens - 1)),)


def tokens(reading: Reading) -> Observations:
    """By kind, and whether we had to count them ourselves; zeros are left out."""
    if (used := reading.used) is None:
        return NOTHING
    provider, model = reading.served
    estimated = "true" if used.estimated else ""
    counts = (
        ("input", used.input_tokens),
        ("output", used.output_tokens),
        ("cache_read", used.cache_read_input_tokens),
        ("cache_creation", used.cache_creation_input_tokens),
        ("reasoning", used.reasoning_output_tokens),
    )
    return [((provider, model, kind, estimated), count) for kind, count in counts if count > 0]


def usage_missing(reading: Reading) -> Observations:
    """Answers that ended well, and the upstream did not say what they used."""
    if reading.error or reading.exchange.served_by is None:
        return NOTHING
    used = reading.used
    return ((reading.served, 1),) if used is None or used.estimated else NOTHING


def prompt_cache(reading: Reading) -> Observations:
    """Whether the provider read some of the prompt from its cache, or only wrote it there."""
    used = reading.used
    if used is None or used.estimated or not used.input_tokens or not reading.outcome.provider:
        return NOTHING
    wrote = "write" if used.cache_creation_input_tokens else "miss"
    return (((*reading.served, "hit" if used.cache_read_input_tokens else wrote), 1),)


def upstream_errors(reading: Reading) -> Observations:
    """One for each try that failed by the upstream's cause."""
    attempts = reading.exchange.attempts
    if len(attempts) < 2 and not reading.error:
        return NOTHING
    return [
        ((*reading.labels_of(attempt.candidate), error), 1)
        for attempt in attempts
        if (error := reading.error_of(attempt)) not in _NOT_UPSTREAMS
    ]


def retries(reading: Reading) -> Observations:
    """Further tries of the same candidate."""
    attempts = reading.exchange.attempts
    if len(attempts) < 2:
        return NOTHING
    return [
        (reading.labels_of(later.candidate), 1)
        for earlier, later in pairwise(attempts)
        if later.candidate == earlier.candidate
    ]


def failovers(reading: Reading) -> Observations:
    """By the candidate gone on to: after a failure, or past one whose circuit is open."""
    exchange = reading.exchange
    if not exchange.attempts or exchange.route is None:
        return NOTHING
    current = exchange.route.candidates[0]
    if len(exchange.attempts) == 1 and exchange.attempts[0].candidate is current:
        return NOTHING  # nearly always
    found = []
    for attempt in exchange.attempts:
        if attempt.candidate != current:
            found.append((reading.labels_of(attempt.candidate), 1))
        current = attempt.candidate
    return found
