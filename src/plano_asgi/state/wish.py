"""What a request says of state, and the same request to an upstream that is to keep none."""

from __future__ import annotations

from typing import Any, NamedTuple

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError
from plano_asgi.state.refusals import two_pasts, wrong_type

_ENCRYPTED = "reasoning.encrypted_content"


class Wish(NamedTuple):
    """What a body says of state. *store* is asked for where the body does not say no."""

    previous: str | None = None
    conversation: str | None = None
    store: bool = True

    @property
    def has_past(self) -> bool:
        """Whether it goes on from something."""
        return self.previous is not None or self.conversation is not None


def read_wish(body: JSONObject) -> Wish:
    """
    Read a body.

    Raises:
        RequestError: A field of the wrong type, or two pasts at once.
    """
    previous, conversation = body.get("previous_response_id"), body.get("conversation")
    if isinstance(conversation, dict):
        conversation = conversation.get("id", "")
    if previous is not None and not isinstance(previous, str):
        raise wrong_type("previous_response_id", "a string")
    if conversation is not None and not isinstance(conversation, str):
        raise wrong_type("conversation", "a string")
    if previous is not None and conversation is not None:
        raise two_pasts()
    store = body.get("store")
    if store is not None and not isinstance(store, bool):
        raise wrong_type("store", "true or false")
    return Wish(previous, conversation, store is not False)


def with_input(body: JSONObject, items: list[Any]) -> JSONObject:
    """*body* with *items* for its input and no other past."""
    merged = {**body, "input": items}
    merged.pop("previous_response_id", None)
    merged.pop("conversation", None)
    return merged


def without_state(body: JSONObject) -> JSONObject:
    """
    *body* for an upstream that is to keep nothing, and to hand out the proof of its reasoning;
    changed in place.

    Raises:
        RequestError: It is to run in the background, which nobody can do without keeping it.
    """
    if body.get("background"):
        raise RequestError(
            "'background' needs an upstream that keeps the conversation itself.",
            param="background",
            code="unsupported_parameter",
        )
    include = body.get("include")
    wanted = include if isinstance(include, list) else []
    if _ENCRYPTED not in wanted:  # providers leave it out for models that would refuse it
        wanted = [*wanted, _ENCRYPTED]
    body["store"], body["include"] = False, wanted
    return body
