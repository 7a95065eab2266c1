"""WordPiece: the rules of BERT's uncased vocabulary."""

from __future__ import annotations

import pytest

from plano_asgi.embeddings.wordpiece import WordPiece
from plano_asgi.errors import ConfigurationError

PIECES = ["[CLS]", "[SEP]", "[UNK]", "un", "##aff", "##able", "cafe", "!", "_", "中", "文", "x"]
TOKENIZER = WordPiece({piece: n for n, piece in enumerate(PIECES)})


def _pieces(text: str, **options: int) -> list[str]:
    return [PIECES[n] for n in TOKENIZER.encode(text, **options)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("Unaffable!", ["un", "##aff", "##able", "!"], id="greedy"),
        pytest.param("CAFÉ", ["cafe"], id="accents"),
        pytest.param("cafe\u200b\u0301 x", ["cafe", "x"], id="invisible"),
        pytest.param("中文x", ["中", "文", "x"], id="chinese"),
        pytest.param("x_x", ["x", "_", "x"], id="underscore"),
        pytest.param("unknown", ["[UNK]"], id="unknown"),
        pytest.param("x" * 101, ["[UNK]"], id="long"),
    ],
)
def test_texts_are_cut_as_the_model_was_trained(text: str, pieces: list[str]) -> None:
    """Lower case, no accents, longest piece first."""
    assert _pieces(text) == ["[CLS]", *pieces, "[SEP]"]


def test_long_texts_end_in_time() -> None:
    """Start and end mark included."""
    assert _pieces("x " * 10_000, max_tokens=5) == ["[CLS]", "x", "x", "x", "[SEP]"]
    assert _pieces("unaffable " * 9, max_tokens=4) == ["[CLS]", "un", "##aff", "[SEP]"]


def test_a_vocabulary_without_marks_is_refused() -> None:
    """By name."""
    with pytest.raises(ConfigurationError, match="CLS"):
        WordPiece({"x": 0})
