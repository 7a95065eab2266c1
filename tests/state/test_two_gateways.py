"""
Two processes of the whole gateway on shared stores, under load: pins, limits, budgets, state and
cache at once behave as one gateway's would.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx
import pytest

from upstream import Recorded, Reply, ScriptedUpstream, chat_reply, scripted_upstream

pytestmark = pytest.mark.anyio

ANN, BOB = "key-of-ann-0001", "key-of-bob-0002"
CONVERSATIONS, TURNS = 12, 4
METERED = 40
IN_FLIGHT = 16
"""Requests at once: with many more a busy machine has stores given up that are only slow."""
USED = (60, 40)
"""Tokens of every answer, input and output."""
LIMIT = 2_000
"""Tokens."""
USD = 0.05
"""At 20 a million tokens: 2,500 tokens."""
_PADDING = "and so on " * 20
"""So that no less is reserved than is used: nothing is exceeded then."""
RESERVED = 150
"""Tokens at most, of one request."""
_WORKER = """
import socket, sys, uvicorn
from plano_asgi import Plano

app = Plano.from_yaml(sys.argv[1], environ={})
with socket.create_server(("127.0.0.1", 0), backlog=512) as door:
    print(door.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none")
    uvicorn.Server(config).run(sockets=[door])
"""
_CONFIG = """
version: v0.4.0
model_providers:
  - {{model: mistral/one, base_url: "{upstream}", access_key: k, default: true}}
  - {{model: mistral/two, base_url: "{upstream}", access_key: k}}
  - {{model: mistral/metered, base_url: "{upstream}", access_key: k}}
  - {{model: mistral/priced, base_url: "{upstream}", access_key: k}}
model_aliases:
  either: {{targets: [{{model: mistral/one}}, {{model: mistral/two}}]}}
auth: {{api_keys: [{ann}, {bob}]}}
routing:
  session_cache: {{type: redis, url: "{redis}"}}
state_storage: {{type: {kind}, connection_string: "{store}"}}
limits_store: {{url: "{store}"}}
response_cache: {{url: "{store}"}}
ratelimits:
  - model: mistral/metered
    selector: {{key: x-user-id, value: "*"}}
    limit: {{tokens: {limit}, unit: day}}
model_metrics_sources:
  - {{type: cost, provider: own, prices: {{"mistral/*": {{input: 20, output: 20}}}}}}
spend_budgets:
  - {{usd: {usd}, model: mistral/priced}}
"""


class Pair(NamedTuple):
    """Two gateways, what is behind them, and a client."""

    urls: Sequence[str]
    upstream: ScriptedUpstream
    client: httpx.AsyncClient

    async def post(self, at: int, path: str, body: Any, key: str = ANN) -> httpx.Response:
        """Ask gateway *at*; ``session`` in the body is a header's."""
        headers = {"authorization": f"Bearer {key}"}
        if session := body.pop("session", None):
            headers["x-model-affinity"] = session
        return await self.client.post(f"{self.urls[at % 2]}{path}", json=body, headers=headers)

    async def chat(self, at: int, model: str, text: str) -> httpx.Response:
        """One chat of at most 40 tokens of output."""
        body = {"model": model, "max_tokens": USED[1], "messages": [_user(text)]}
        return await self.post(at, "/v1/chat/completions", body)


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _answered(request: Recorded) -> Reply:
    """Tells which conversations the messages are of, and how many there are."""
    messages = request.json()["messages"]
    told = sorted(set(re.findall(r"conversation \d+", json.dumps(messages))))
    return chat_reply(f"{', '.join(told)}: {len(messages)}", usage=USED)


@contextmanager
def _gateways(config: Path) -> Iterator[list[str]]:
    """Two processes, started at once; where they are."""
    command = [sys.executable, "-c", _WORKER, str(config)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        doors = [process.stdout.readline() for process in processes if process.stdout]
        yield [f"http://127.0.0.1:{int(door)}" for door in doors]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.communicate()


@pytest.fixture
def anyio_backend() -> str:
    """The client is asyncio's."""
    return "asyncio"


@pytest.fixture(params=["redis", "postgres"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Sessions on Redis, all else on the store that is tested."""
    redis = f"{request.getfixturevalue('redis_server').url[:-1]}{1 + (request.param != 'redis')}"
    is_redis = request.param == "redis"
    store = redis if is_redis else request.getfixturevalue("postgres_server").schema()
    with scripted_upstream() as upstream:
        upstream.on(_answered)
        given = {"upstream": upstream.base_url, "redis": redis, "store": store, "usd": USD}
        given |= {"kind": request.param, "ann": ANN, "bob": BOB, "limit": LIMIT}
        config = tmp_path / "plano_config.yaml"
        config.write_text(_CONFIG.format(**given), "utf-8")
        with _gateways(config) as urls:
            bounds = httpx.Limits(max_connections=IN_FLIGHT)
            async with httpx.AsyncClient(timeout=60, limits=bounds) as client:
                yield Pair(urls, upstream, client)


class Talk(NamedTuple):
    """One conversation: which, who answered its turns, and what it goes on from."""

    number: int
    served: list[str]
    ids: list[str]


async def _turn(pair: Pair, talk: Talk) -> None:
    """The next turn of a conversation, at the other gateway."""
    turn = len(talk.ids)
    body = {"model": "either", "input": f"conversation {talk.number}"}
    body |= {"session": f"s{talk.number}"}
    body |= {"previous_response_id": talk.ids[-1]} if talk.ids else {}
    found = await pair.post(talk.number + turn, "/v1/responses", body)
    assert found.status_code == 200, found.text
    answer = found.json()
    text = answer["output"][0]["content"][0]["text"]
    assert text == f"conversation {talk.number}: {2 * turn + 1}"
    talk.served.append(found.headers["x-plano-model"])
    talk.ids.append(answer["id"])


async def _talk(pair: Pair, talk: Talk) -> None:
    """All turns, as fast as an agent's, and then somebody else's."""
    for _ in range(TURNS):
        await _turn(pair, talk)
    body = {"model": "either", "input": "x", "previous_response_id": talk.ids[-1]}
    assert (await pair.post(talk.number, "/v1/responses", body, BOB)).status_code == 404


async def _use_up(pair: Pair, model: str, granted: list[int]) -> None:
    """Many requests at once, then one after the other for what was given back."""

    async def one(number: int) -> None:
        found = await pair.chat(number, f"mistral/{model}", f"{model} {number:03d} {_PADDING}")
        assert found.status_code in (200, 429), found.text
        if found.status_code == 200:
            granted.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(METERED):
            tasks.start_soon(one, number)
    for number in range(METERED, 2 * METERED):
        await one(number)


async def _cached(pair: Pair, hits: list[str]) -> None:
    """What one gateway was told, the other one tells."""
    for at in range(8):
        found = await pair.chat(at, "mistral/one", "the same question")
        hits.append(found.headers["x-plano-cache"])
        assert (await pair.chat(at, "mistral/two", f"another {at}")).status_code == 200


async def test_two_processes_behave_as_one(pair: Pair) -> None:
    """
    Conversations keep their model and their own history; a limit and a budget are used up to what
    the next request would reserve, and never exceeded; an answer is paid for once.
    """
    talks = [Talk(number, [], []) for number in range(CONVERSATIONS)]
    tokens, money, hits = list[int](), list[int](), list[str]()
    async with anyio.create_task_group() as tasks:
        for talk in talks:
            tasks.start_soon(_talk, pair, talk)
        tasks.start_soon(_use_up, pair, "metered", tokens)
        tasks.start_soon(_use_up, pair, "priced", money)
    await _cached(pair, hits)  # not in the rush: a look-up in a cache is given up after a while
    assert [(len(talk.served), len(set(talk.served))) for talk in talks] == [
        (TURNS, 1)
    ] * CONVERSATIONS
    assert 0 <= LIMIT - len(tokens) * sum(USED) < RESERVED
    assert 0 <= USD / 20e-6 - len(money) * sum(USED) < RESERVED
    assert hits == ["miss", *["hit"] * 7]
    asked = Counter(request.json()["model"] for request in pair.upstream.requests)
    assert (asked["metered"], asked["priced"]) == (len(tokens), len(money))
    assert asked["one"] + asked["two"] == CONVERSATIONS * TURNS + 1 + 8
