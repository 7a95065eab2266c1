"""Conversations and their items over HTTP."""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError
from plano_asgi.gateway.state_bodies import read_items, read_metadata
from plano_asgi.gateway.state_visit import Visit
from plano_asgi.state.items import listed
from plano_asgi.state.paging import Paging, page, read_paging
from plano_asgi.state.placed import placed


async def create_conversation(visit: Visit) -> JSONObject:
    """With metadata and first items, or none."""
    items = read_items(visit.body.get("items"))
    metadata = read_metadata(visit.body.get("metadata"))
    return await visit.state.conversations.create(visit.owner, metadata, items)


async def get_conversation(visit: Visit) -> JSONObject:
    """Its object, without items."""
    return await visit.state.conversations.get(visit.owner, visit.id)


async def update_conversation(visit: Visit) -> JSONObject:
    """Replace its metadata; ``null`` leaves none."""
    if "metadata" not in visit.body:
        await get_conversation(visit)  # what is not there is a 404, whatever is to be done with it
        raise _missing("metadata")
    metadata = read_metadata(visit.body["metadata"])
    return await visit.state.conversations.set_metadata(visit.owner, visit.id, metadata)


async def delete_conversation(visit: Visit) -> JSONObject:
    """Forget it with its items."""
    await visit.state.conversations.delete(visit.owner, visit.id)
    return {"id": visit.id, "object": "conversation.deleted", "deleted": True}


async def list_items(visit: Visit) -> JSONObject:
    """One page of its items."""
    paging = read_paging(visit.query)
    items = await visit.state.conversations.items(visit.owner, visit.id)
    return page([listed(each.item, each.id) for each in items], paging)


async def add_items(visit: Visit) -> JSONObject:
    """Add items behind the others; those that were added."""
    items = read_items(visit.body.get("items"))
    if not items:
        raise _missing("items")
    added = await visit.state.conversations.add(visit.owner, visit.id, items)
    shown = [listed(each.item, each.id) for each in placed([added])]
    return page(shown, Paging(limit=len(shown), is_descending=False))


async def get_item(visit: Visit) -> JSONObject:
    """One item."""
    found = await visit.state.conversations.item(visit.owner, visit.id, visit.ids[1])
    item: JSONObject = listed(found.item, visit.ids[1])
    return item


async def delete_item(visit: Visit) -> JSONObject:
    """Forget one item; the conversation's object."""
    return await visit.state.conversations.delete_item(visit.owner, visit.id, visit.ids[1])


def _missing(param: str) -> RequestError:
    return RequestError(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )
