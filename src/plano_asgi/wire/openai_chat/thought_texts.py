"""
The reasoning in one delta, which some upstreams spell twice: as a plain string, and in entries
that can carry a proof. Two spellings of one text are one text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from plano_asgi._json import JSONObject
from plano_asgi.wire.openai_chat.call_texts import Place

PLAIN = ("reasoning_content", "reasoning")
LISTS: dict[str, tuple[str, ...]] = {
    "reasoning_details": ("text", "summary"),
    "thinking_blocks": ("thinking",),
}
"""Fields of entries, and the keys of an entry's text."""
PROOFS = ("signature", "data")
_KEPT = ("type", "format", "index", "id")


class Thought(NamedTuple):
    """
    One piece of reasoning and its places. ``part`` names its channel; with ``.n`` at its end, n
    being the entry's index, if it stands in an entry.
    """

    part: str
    places: tuple[Place, ...]


def thoughts(delta: JSONObject) -> Iterator[Thought]:
    """Every piece in *delta*; a plain one together with the one entry that says the same."""
    entries = list(_entries(delta))
    for name in PLAIN:
        text = delta.get(name)
        if not isinstance(text, str) or not text:
            continue
        plain = Place((name,), delta, name)
        if len(entries) == 1 and entries[0].places[0].holder[entries[0].places[0].key] == text:
            entry = entries.pop()
            yield Thought(f"{name}.{entry.part.rpartition('.')[2]}", (plain, *entry.places))
        else:
            yield Thought(name, (plain,))
    yield from entries


def has_proof(delta: JSONObject) -> bool:
    """Whether an entry in *delta* carries a proof, which closes its part."""
    return any(entry.get(proof) for _, entry in _objects(delta) for proof in PROOFS)


def proof_apart(delta: JSONObject) -> list[JSONObject]:
    """*delta*, or in two: its texts, and then the proofs that close them."""
    if not has_proof(delta) or not any(True for _ in thoughts(delta)):
        return [delta]
    texts, proofs = dict(delta), {}
    for name, keys in LISTS.items():
        entries = delta.get(name)
        if not isinstance(entries, list):
            continue
        said = [entry for entry in entries if not isinstance(entry, dict) or _any(entry, keys)]
        proven = [entry for entry in entries if isinstance(entry, dict) and _any(entry, PROOFS)]
        texts[name] = [_without(entry, PROOFS) for entry in said]
        proofs[name] = [_without(entry, keys) for entry in proven]
    texts = {name: value for name, value in texts.items() if value}
    return [texts, {name: value for name, value in proofs.items() if value}]


def _entries(delta: JSONObject) -> Iterator[Thought]:
    for name, entry in _objects(delta):
        for key in LISTS[name]:
            if isinstance(entry.get(key), str) and entry[key]:
                kept = {field: entry[field] for field in _KEPT if field in entry}
                index = entry.get("index")
                number = index if isinstance(index, int) else 0
                yield Thought(f"{name}.{key}.{number}", (Place((name, kept, key), entry, key),))


def _objects(delta: JSONObject) -> Iterator[tuple[str, JSONObject]]:
    for name in LISTS:
        entries = delta.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield name, entry


def _any(entry: JSONObject, keys: tuple[str, ...]) -> bool:
    return any(entry.get(key) for key in keys)


def _without(entry: JSONObject, keys: tuple[str, ...]) -> JSONObject:
    if not isinstance(entry, dict):
        return entry
    return {key: value for key, value in entry.items() if key not in keys}
