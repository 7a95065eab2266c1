"""
Where the texts of one item stand, in a request, an answer or an event of a stream.

Every string of an item is shown but those that are no words: ids, type names, ciphertext, encoded
media. An item type or a field that this module has never heard of is read like the others, so that
nothing passes unread because it is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import Origin, Passage

_NO_WORDS = frozenset(
    (
        *("type", "id", "object", "status", "role", "phase", "model", "detail", "execution"),
        *("name", "namespace", "server_label", "environment", "container", "created_by"),
        *("encrypted_content", "obfuscation", "logprobs", "sequence_number"),
        *("image_url", "file_url", "file_data", "input_audio", "b64_json", "partial_image_b64"),
        *("output_format", "mime_type", "quality", "size", "background", "syntax", "format"),
    )
)
_FREE = frozenset(("arguments", "attributes", "env", "variables"))
"""Objects of the app's own making below these keys: there, a key called ``id`` holds a value."""

_NAMES = frozenset(("properties", "patternProperties", "$defs", "definitions"))
"""Of a schema: below these, the keys are names of the app's own making."""

_IMAGE = "image_generation_call"

_MODEL_MADE = frozenset(
    ("mcp_list_tools", "mcp_approval_request", "compaction", "program", "item_reference")
)
"""Items of the model's turn whose type does not end in ``_call``."""

_RESULT_KEYS = frozenset(("output", "outputs", "results", "error", "sources"))
"""Fields of a call item that hold what came back."""


@dataclass(frozen=True, slots=True)
class Side:
    """Whose words the texts are: the same item is read differently in a request and an answer."""

    plain: Origin
    """Of a message without a known role, and of items that are none of the rest."""
    refusal: Origin
    citation: Origin
    result: Origin
    definition: Origin
    file_name: Origin
    roles: dict[str, Origin] = field(default_factory=dict)


REQUEST = Side(
    plain="user",
    refusal="assistant",
    citation="assistant",
    result="tool_result",
    definition="tool_definition",
    file_name="media",
    roles={"system": "system", "developer": "system", "assistant": "assistant"},
)
ANSWER = Side(
    plain="content",
    refusal="refusal",
    citation="citation",
    result="citation",
    definition="citation",
    file_name="citation",
)
"""What a hosted tool found or returned is a quoted source to the client."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the passages of one item share."""

    side: Side
    turn: int = -1
    is_new: bool = True

    def passage(self, holder: Any, key: str | int, origin: Origin, path: str) -> Passage:
        """The passage at ``holder[key]``, a string; *path* is the holder's."""
        kind = OutputText if _is_output_text(holder, key) else Passage
        return kind(
            holder[key],
            origin,
            _join(path, key),
            holder,
            key,
            turn=self.turn,
            is_new=self.is_new,
            is_json=key == "arguments",
        )


class OutputText(Passage):
    """
    The text of an ``output_text`` part, with what refers to it.

    With another text the log probabilities go, and of the annotations those that do not lie wholly
    before the first changed character: their offsets would point at other words.
    """

    __slots__ = ()

    def replace(self, text: str) -> None:
        """Put *text* in the place of this one."""
        same = shared_length(self.text, text)
        self.text = text
        self.holder[self.key] = text
        if self.holder.get("logprobs"):
            self.holder["logprobs"] = []
        annotations = self.holder.get("annotations")
        if isinstance(annotations, list) and annotations:
            self.holder["annotations"] = [each for each in annotations if ends_by(each, same)]


OFFSETS = ("start_index", "end_index", "index")
"""Of an annotation: where it stands in its text."""


def ends_by(annotation: object, length: int) -> bool:
    """Whether *annotation* refers to the first *length* characters of its text only, or to none."""
    if not isinstance(annotation, dict):
        return False
    marks = (annotation.get(key) for key in OFFSETS)
    return all(mark <= length for mark in marks if isinstance(mark, int | float))


def shared_length(left: str, right: str) -> int:
    """How many characters *left* and *right* begin with in common."""
    low, high = 0, min(len(left), len(right))
    while low < high:  # bisected: slices compare fast, characters one by one do not
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


_OUTPUT_TEXTS = ("output_text", "response.output_text.done")


def _is_output_text(holder: Any, key: str | int) -> bool:
    return key == "text" and isinstance(holder, dict) and holder.get("type") in _OUTPUT_TEXTS


# --------------------------------------------------------------------------- items


def is_assistant(item: object) -> bool:
    """Whether an input item is part of an earlier answer."""
    if not isinstance(item, dict) or item.get("role") == "user":
        return False
    kind = item.get("type")
    if isinstance(kind, str) and kind != "message":
        return kind == "reasoning" or kind.endswith("_call") or kind in _MODEL_MADE
    return item.get("role") == "assistant"


def item_texts(item: object, path: str, place: Place) -> Iterator[Passage]:
    """Every text of *item*, in order; nothing where it is no object."""
    if not isinstance(item, dict):
        return
    kind = item.get("type")
    kind = kind if isinstance(kind, str) else "message"
    for key, value in item.items():
        if _is_no_words(key, value) or (kind == _IMAGE and key == "result"):
            continue
        origin = _origin(kind, key, item, place.side)
        if isinstance(value, str):
            yield place.passage(item, key, origin, path)
        elif key in ("content", "output", "summary") and isinstance(value, list):
            yield from part_texts(value, _join(path, key), origin, place)
        elif isinstance(value, dict | list):
            yield from leaves(value, _join(path, key), origin, place, free=key in _FREE)


def _origin(kind: str, key: str, item: JSONObject, side: Side) -> Origin:
    role = item.get("role")
    if kind == "message" or role == "user":  # who speaks as a user does so whatever the item's type
        return side.roles.get(role, side.plain) if isinstance(role, str) else side.plain
    if kind == "reasoning":
        return "reasoning"
    if key == "tools":
        return side.definition
    if kind.endswith("_output") or key in _RESULT_KEYS:
        return side.result
    if kind.endswith("_call") or kind in _MODEL_MADE:
        return "tool_call"
    return side.plain


# --------------------------------------------------------------------------- parts and leaves


def part_texts(parts: list[Any], path: str, origin: Origin, place: Place) -> Iterator[Passage]:
    """Every text of a list of content parts (or strings), as *origin* unless a part says more."""
    for index, part in enumerate(parts):
        if isinstance(part, str):
            yield place.passage(parts, index, origin, path)
        elif isinstance(part, dict):
            yield from one_part(part, f"{path}.{index}", origin, place)
        elif isinstance(part, list):
            yield from leaves(part, f"{path}.{index}", origin, place)


_PART_KEYS = {"refusal": "refusal", "annotations": "citation", "filename": "file_name"}
"""Keys of a part whose texts are not the part's own: the attribute of ``Side`` they are."""


def one_part(part: JSONObject, path: str, origin: Origin, place: Place) -> Iterator[Passage]:
    """Every text of one content part."""
    for key, value in part.items():
        if _is_no_words(key, value):
            continue
        kind: Origin = getattr(place.side, _PART_KEYS[key]) if key in _PART_KEYS else origin
        if key == "text" and part.get("type") in ("reasoning_text", "summary_text"):
            kind = "reasoning"
        if isinstance(value, str):
            yield place.passage(part, key, kind, path)
        elif isinstance(value, dict | list):
            yield from leaves(value, _join(path, key), kind, place)


def leaves(
    value: Any,
    path: str,
    origin: Origin,
    place: Place,
    *,
    free: bool = False,
    no_words: frozenset[str] = _NO_WORDS,
) -> Iterator[Passage]:
    """
    Every string inside *value*, in order, but those whose key is among *no_words* or names an id;
    all of them where *free*.
    """
    # A stack and no recursion: a client may nest deeper than Python calls.
    stack = [(value, path, free, free, _pairs(value))]
    while stack:
        holder, at, is_free, is_named, pairs = stack[-1]
        for key, item in pairs:
            if not is_named and _is_no_words(key, item, no_words):
                continue
            if isinstance(item, str):
                yield place.passage(holder, key, origin, at)
            elif isinstance(item, dict | list):
                inner = is_free or key in _FREE
                named = inner or (key in _NAMES and not is_named)
                stack.append((item, _join(at, key), inner, named, _pairs(item)))
                break
        else:
            stack.pop()


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _pairs(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs: Iterable[tuple[Any, Any]]
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return iter(pairs)


def _is_no_words(key: Any, value: object, no_words: frozenset[str] = _NO_WORDS) -> bool:
    if not isinstance(key, str):
        return False
    if key in no_words:
        return True
    if key.endswith(("_id", "_ids")):
        return True
    return key.endswith("url") and isinstance(value, str) and value.startswith("data:")


# --------------------------------------------------------------------------- answers

_NOT_IN_ERRORS = frozenset(("type", "code", "param"))
_IN_ANSWER = Place(ANSWER)


def answer_item_texts(item: object, path: str) -> Iterator[Passage]:
    """Every text of one item of an answer."""
    return item_texts(item, path, _IN_ANSWER)


def answer_part_texts(part: JSONObject, path: str) -> Iterator[Passage]:
    """Every text of one content part of an answer."""
    return one_part(part, path, ANSWER.plain, _IN_ANSWER)


def answer_leaves(value: Any, path: str, origin: Origin) -> Iterator[Passage]:
    """Every text somewhere inside *value*, a piece of an answer."""
    return leaves(value, path, origin, _IN_ANSWER)


def text_at(holder: JSONObject, key: str, origin: Origin, *, is_json: bool = False) -> Passage:
    """The string at ``holder[key]``, a piece of an answer."""
    passage = _IN_ANSWER.passage(holder, key, origin, "")
    passage.is_json = is_json
    return passage


def error_texts(body: JSONObject, path: str = "") -> Iterator[Passage]:
    """What ``error`` of *body* says, in whatever shape."""
    error = body.get("error")
    if isinstance(error, str):
        yield _IN_ANSWER.passage(body, "error", "error", path)
    elif isinstance(error, dict | list):
        yield from leaves(error, _join(path, "error"), "error", _IN_ANSWER, no_words=_NOT_IN_ERRORS)


def answer_texts(body: JSONObject) -> Iterator[Passage]:
    """Every text of a whole answer, of a list of items, or of an error body."""
    for key in ("output", "data"):
        items = body.get(key)
        if isinstance(items, list):
            for index, item in enumerate(items):
                yield from answer_item_texts(item, f"{key}.{index}")
    if isinstance(body.get("output_text"), str):
        yield _IN_ANSWER.passage(body, "output_text", "content", "")
    yield from error_texts(body)
    if "output" not in body:
        for key in ("message", "detail"):
            if isinstance(body.get(key), str):
                yield _IN_ANSWER.passage(body, key, "error", "")
