"""What was made of texts is kept, up to a bound."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from plano_asgi.signals.memo import Memo


class _Shouts:
    """Makes capitals of texts, and tells which it was asked for."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.calls.append([*texts])
        return [text.upper() for text in texts]


def test_each_text_is_made_once_and_all_new_ones_together() -> None:
    """In the order in which they are asked for, however often each is."""
    shouts = _Shouts()
    memo = Memo(shouts, 8)
    assert memo.of(["b", "a", "b"]) == ["B", "A", "B"]
    assert memo.of(["c", "a"]) == ["C", "A"]
    assert memo.of(["b", "c"]) == ["B", "C"]
    assert memo.of([]) == []
    assert shouts.calls == [["b", "a"], ["c"]]


def test_what_is_asked_for_again_stays() -> None:
    """While others come and go."""
    shouts = _Shouts()
    memo = Memo(shouts, 4)
    for other in "bcdefgh":
        assert memo.of(["a", other]) == ["A", other.upper()]
    assert [call for call in shouts.calls if "a" in call] == [["a", "b"]]


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 8])
@pytest.mark.parametrize("together", [1, 3, 20])
def test_no_more_is_kept_than_there_is_room_for(limit: int, together: int) -> None:
    """Nor is a call that brings more than that answered another way."""
    shouts = _Shouts()
    memo = Memo(shouts, limit)
    texts = [f"text {n}" for n in range(40)]
    for at in range(0, len(texts), together):
        some = texts[at : at + together]
        assert memo.of(some) == [text.upper() for text in some]
    shouts.calls.clear()
    for text in texts:
        memo.of([text])
    assert sum(map(len, shouts.calls)) >= len(texts) - limit
