"""What is said about state that is not there, or not to be had: in OpenAI's words."""

from __future__ import annotations

from plano_asgi.errors import NotFound, RequestError

_SHOWN = 100


def no_previous(id: str) -> NotFound:
    """``previous_response_id`` names nothing."""
    return NotFound(
        f"Previous response with id '{id[:_SHOWN]}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def no_earlier_turn(id: str) -> NotFound:
    """A response was found, but not everything that it follows."""
    return NotFound(
        f"Response '{id[:_SHOWN]}' follows turns that were deleted or have expired.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def no_response(id: str) -> NotFound:
    """There is no such response."""
    return NotFound(f"Response with id '{id[:_SHOWN]}' not found.", param="response_id")


def no_conversation(id: str) -> NotFound:
    """There is no such conversation."""
    return NotFound(f"Conversation with id '{id[:_SHOWN]}' not found.", param="conversation")


def no_item(id: str) -> NotFound:
    """There is no such item."""
    return NotFound(f"Item with id '{id[:_SHOWN]}' not found.", param="item_id")


def no_referenced_item(id: str) -> RequestError:
    """An ``item_reference`` to what was never kept, or is no more."""
    return RequestError(
        f"Item with id '{id[:_SHOWN]}' not found: an item_reference can only be to an item of an "
        "answer that was stored.",
        param="input",
        code="item_not_found",
    )


def two_pasts() -> RequestError:
    """A conversation has one past."""
    return RequestError(
        "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. "
        "Only one of them can be given.",
        param="conversation",
        code="mutually_exclusive_parameters",
    )


def too_long(param: str, max_items: int, max_bytes: int) -> RequestError:
    """The conversation is over what is kept; the code makes agents compact it."""
    return RequestError(
        f"The conversation is over {max_items} items or {max_bytes} bytes; compact it, or begin "
        "a new one.",
        param=param,
        code="context_length_exceeded",
    )


def wrong_type(param: str, expected: str) -> RequestError:
    """A field of the wrong type."""
    return RequestError(f"'{param}' must be {expected}.", param=param, code="invalid_type")
