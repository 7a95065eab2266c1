"""An app's own agents and tools in several tasks, in streams, and after the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from asgi_drive import drive
from plano_asgi import doing
from tapped import DONE, SSE, WHOLE, chunk
from telemetry.agent_apps import SERVER_SPAN, asked, failures, lineage, route, traced
from telemetry.one_trace import parent_id
from telemetry.watching import Watching
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio


async def in_a_group(*calls: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """All of *calls* at the same time."""
    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(call)


async def check_crossing(run: Callable[..., Awaitable[None]]) -> None:
    """
    Two agents with two tools each: all tools are open at once, in tasks of their agents' tasks,
    and they end in an order of their own.
    """
    gates = [anyio.Event() for _ in range(5)]

    async def work(request: Request) -> None:
        async def tool(number: int, begun: list[int]) -> None:
            with doing(request, "tool", f"t{number}"):
                begun.append(number)
                if len(begun) == 4:
                    gates[4].set()
                await gates[number + 1].wait()
            gates[number].set()

        async def agent(*numbers: int) -> None:
            with doing(request, "agent", f"of{numbers[0]}"):
                await run(*(partial(tool, number, begun) for number in numbers))

        begun: list[int] = []
        await run(partial(agent, 3, 1), partial(agent, 2, 0))

    watching = Watching()
    await asked(watching, work)
    for number, name in enumerate(("of2", "of3", "of2", "of3")):
        expected = [f"invoke_agent {name}", "chat m", SERVER_SPAN]
        assert lineage(watching, f"execute_tool t{number}")[1:] == expected


async def test_agents_at_work_together_have_their_own_tools() -> None:
    """In task groups within task groups."""
    await check_crossing(in_a_group)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_gathered_agents_have_their_own_tools() -> None:
    """By asyncio's own means."""

    async def gathered(*calls: Callable[[], Awaitable[object]]) -> None:
        await asyncio.gather(*(call() for call in calls))

    await check_crossing(gathered)


async def test_requests_at_the_same_time_never_mix() -> None:
    """Each has its agent open while the other begins its tool."""
    watching, ready = Watching(), [anyio.Event(), anyio.Event()]

    async def work(request: Request) -> None:
        number = int(request.headers["number"])
        with doing(request, "agent", f"a{number}"):
            ready[number].set()
            await ready[1 - number].wait()
            with doing(request, "tool", f"t{number}"):
                await anyio.lowlevel.checkpoint()

    await in_a_group(*(partial(asked, watching, work, number=str(n)) for n in range(2)))
    for number in range(2):
        assert lineage(watching, f"execute_tool t{number}")[1] == f"invoke_agent a{number}"
    assert len({parent_id(watching.only(f"invoke_agent a{number}")) for number in range(2)}) == 2


async def test_a_worker_thread_knows_its_agent() -> None:
    """Tools that block run there."""

    async def work(request: Request) -> None:
        def tool() -> None:
            with doing(request, "tool", "weather"):
                pass

        with doing(request, "agent", "travel"):
            await anyio.to_thread.run_sync(tool)

    watching = Watching()
    await asked(watching, work)
    assert lineage(watching, "execute_tool")[1:] == ["invoke_agent travel", "chat m", SERVER_SPAN]


async def test_a_task_begun_outside_is_below_the_exchange() -> None:
    """A worker that the app keeps knows no parent; the request it works for does."""
    watching = Watching()
    queue, jobs = anyio.create_memory_object_stream[tuple[Request, anyio.Event]](1)

    async def worker() -> None:
        async for request, done in jobs:
            with doing(request, "tool", "weather"):
                await anyio.lowlevel.checkpoint()
            done.set()

    async def work(request: Request) -> None:
        done = anyio.Event()
        await queue.send((request, done))
        await done.wait()

    async with anyio.create_task_group() as tasks, queue, jobs:
        tasks.start_soon(worker)
        await asked(watching, work)
        tasks.cancel_scope.cancel()
    assert lineage(watching, "execute_tool") == ["execute_tool weather", "chat m", SERVER_SPAN]


# ---- as long as an answer, and longer


def streaming(request: Request, *, stuck: anyio.Event | None = None) -> StreamingResponse:
    """An agent that writes, uses a tool, and writes on; or sets *stuck* and waits for ever."""

    async def body() -> AsyncIterator[bytes]:
        with doing(request, "agent", "writer") as agent:
            yield chunk("a")
            if stuck is not None:
                stuck.set()
                await anyio.sleep_forever()
            with doing(request, "tool", "weather"):
                await anyio.lowlevel.checkpoint()
            yield chunk("b", "stop")
            agent.note(parts=2)
        yield DONE

    return StreamingResponse(body(), media_type=SSE)


async def test_an_agent_that_streams_is_a_span_as_long_as_it_writes() -> None:
    """Opened in the generator: its tools are below it, and it ends before the exchange."""

    async def work(request: Request) -> StreamingResponse:
        return streaming(request)

    watching = Watching()
    assert (await asked(watching, work)).body == chunk("a") + chunk("b", "stop") + DONE
    assert lineage(watching, "execute_tool")[1:] == ["invoke_agent writer", "chat m", SERVER_SPAN]
    agent, tool, chat = (watching.only(n) for n in ("invoke_agent", "execute_tool", "chat"))
    starts = [span.start_time or 0 for span in (chat, agent, tool)]
    ends = [span.end_time or 0 for span in (tool, agent, chat)]
    assert starts == sorted(starts)
    assert ends == sorted(ends)
    assert watching.told("invoke_agent")["plano.agent.parts"] == 2
    assert failures(watching) == {}


async def test_a_client_that_leaves_an_agents_stream_cancels_it() -> None:
    """Its span is over, too, and below the exchange."""
    stuck = anyio.Event()

    async def work(request: Request) -> StreamingResponse:
        return streaming(request, stuck=stuck)

    watching = Watching()
    await drive(traced(watching, route(work)), CHAT, HI, leave=stuck)
    assert lineage(watching, "invoke_agent")[1:] == ["chat m", SERVER_SPAN]
    assert failures(watching)["invoke_agent writer"] == "cancelled"


async def test_what_is_done_after_the_answer_is_told_as_well() -> None:
    """A background task, while the app still works for the request."""

    async def work(request: Request) -> JSONResponse:
        async def remember() -> None:
            with doing(request, "tool", "remember"):
                await anyio.lowlevel.checkpoint()

        return JSONResponse(WHOLE, background=BackgroundTask(remember))

    watching = Watching()
    await asked(watching, work)
    assert lineage(watching, "execute_tool")[1:] == ["chat m", SERVER_SPAN]
