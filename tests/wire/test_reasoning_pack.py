"""Reasoning of one dialect survives a client of another one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.conversation import ReasoningPart
from plano_asgi.wire.reasoning_pack import MAX_PACKED_CHARS, PREFIX, pack, unpack

_SOME_TEXT = st.none() | st.text(min_size=1)


@given(
    part=st.builds(
        ReasoningPart,
        text=st.text(),
        summary=st.booleans(),
        signature=_SOME_TEXT,
        encrypted=_SOME_TEXT,
        id=_SOME_TEXT,
        dialect=st.sampled_from(["anthropic.messages", "openai.responses", ""]),
    )
)
def test_a_packed_part_comes_back_equal(part: ReasoningPart) -> None:
    """Nothing but ``raw`` is lost, and the packed form is plain ASCII."""
    packed = pack(part)
    assert packed.isascii()
    assert packed.startswith(PREFIX)
    assert unpack(packed) == part


def test_raw_does_not_travel() -> None:
    """The upstream's own object stays here: its fields are carried by name."""
    part = ReasoningPart(text="hm", raw={"type": "thinking"}, dialect="anthropic.messages")
    assert unpack(pack(part)) == ReasoningPart(text="hm", dialect="anthropic.messages")


def test_a_lone_surrogate_survives() -> None:
    """Half an emoji in a model's thinking does not break the answer."""
    part = ReasoningPart(text="\ud83d", dialect="d")
    assert unpack(pack(part)) == part


def _encoded(body: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(body).decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("EqQBCgIYAhIM", id="a-real-signature"),
        pytest.param(PREFIX, id="prefix-only"),
        pytest.param(PREFIX + "!!!", id="not-base64"),
        pytest.param(PREFIX + "A", id="impossible-base64-length"),
        pytest.param(PREFIX + "ü", id="not-ascii"),
        pytest.param(_encoded(b"\xff\xfe"), id="not-utf8"),
        pytest.param(_encoded(b"nonsense"), id="not-json"),
        pytest.param(_encoded(b"[1]"), id="not-an-object"),
        pytest.param(_encoded(b"{}"), id="no-dialect"),
        pytest.param(_encoded(b'{"dialect":1}'), id="dialect-of-wrong-type"),
        pytest.param(_encoded(b'{"dialect":"d","text":1}'), id="text-of-wrong-type"),
        pytest.param(_encoded(b'{"dialect":"d","id":null}'), id="null-field"),
        pytest.param(PREFIX + "A" * MAX_PACKED_CHARS, id="too-long"),
    ],
)
def test_anything_else_is_not_unpacked(text: str) -> None:
    """A client's own or damaged string is told apart, never an error."""
    assert unpack(text) is None


@given(st.text())
def test_unpack_never_raises(text: str) -> None:
    """Whatever a client sends behind the prefix, the answer is a part or ``None``."""
    unpack(PREFIX + text)
