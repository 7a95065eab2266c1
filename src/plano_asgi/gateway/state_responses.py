"""Kept responses over HTTP: read, deleted, cancelled, listed."""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.asgi.disconnect import run_until_disconnect
from plano_asgi.asgi.respond import encode_headers
from plano_asgi.errors import RequestError, UpstreamError
from plano_asgi.exchange import Candidate
from plano_asgi.gateway.call import STREAM_HEADERS
from plano_asgi.gateway.state_visit import Visit
from plano_asgi.state.items import listed
from plano_asgi.state.paging import page, read_flag, read_paging
from plano_asgi.state.placed import distinct
from plano_asgi.state.records import Record


async def get_response(visit: Visit) -> JSONObject | None:
    """The answer, or a stream of it where an upstream makes it in the background."""
    wants_stream = read_flag(visit.query, "stream")
    record = await visit.state.response(visit.owner, visit.id)
    home = _background_home(record)
    if wants_stream:
        if home is None:
            raise RequestError(
                "Only a response that was made in the background can be streamed.", param="stream"
            )
        await _pump(visit, home)
        return None
    if record.is_finished or home is None:
        return record.response
    return await _newest(visit, record, home, "GET", f"/responses/{visit.id}")


async def delete_response(visit: Visit) -> JSONObject:
    """Forget it, here and where it is kept."""
    record = await visit.state.response(visit.owner, visit.id)
    if (home := record.head.home) is not None:
        try:
            await visit.homes.json(home, "DELETE", f"/responses/{visit.id}", visit.call)
        except UpstreamError as exc:
            if exc.status != 404:  # there, it is gone already
                raise
    await visit.state.delete(visit.owner, record)
    return {"id": visit.id, "object": "response", "deleted": True}


async def cancel_response(visit: Visit) -> JSONObject:
    """Stop making it; the answer as far as it is."""
    record = await visit.state.response(visit.owner, visit.id)
    if (home := _background_home(record)) is None:
        raise RequestError(
            "Only a response that was made in the background can be cancelled.",
            param="response_id",
        )
    return await _newest(visit, record, home, "POST", f"/responses/{visit.id}/cancel")


async def list_input_items(visit: Visit) -> JSONObject:
    """One page of what it follows."""
    paging = read_paging(visit.query)
    items = distinct(await visit.state.input_of(visit.owner, visit.id), f"{visit.id}:input")
    return page([listed(item, id) for id, item in items if isinstance(item, dict)], paging)


def _background_home(record: Record) -> Candidate | None:
    """The upstream that makes, or has made, it in the background."""
    return record.head.home if record.response.get("background") else None


async def _newest(
    visit: Visit, record: Record, home: Candidate, method: str, path: str
) -> JSONObject:
    """The response as the upstream that keeps it has it now; ours is brought up to date."""
    response = await visit.homes.json(home, method, path, visit.call)
    if response.get("id") == record.head.id:
        await visit.state.records.finish(visit.owner, record, response)
    return response


async def _pump(visit: Visit, home: Candidate) -> None:
    """Relay a stream of the upstream's as it arrives."""
    call = visit.call
    reply = await visit.homes.open(home, "GET", f"/responses/{visit.id}", call)

    async def work() -> None:
        await call.start(200, [*STREAM_HEADERS, *encode_headers({})])
        try:
            async for chunk in reply:
                await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
        except UpstreamError:
            return  # left unended, the server cuts it: the client asks for the rest again
        await call.send({"type": "http.response.body", "body": b""})

    try:
        await run_until_disconnect(call.receive, work)
    finally:
        await reply.aclose()
