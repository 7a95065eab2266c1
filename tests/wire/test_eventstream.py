"""AWS event-stream frames, decoded from any cut and refused when corrupt."""

from __future__ import annotations

import base64
import struct
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import exchanges
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.wire.eventstream import (
    EventStreamDecoder,
    Frame,
    HeaderValue,
    Timestamp,
    encode_frame,
)

HEADERS: dict[str, HeaderValue] = {
    ":event-type": "contentBlockDelta",
    "yes": True,
    "no": False,
    "int": -7,
    "long": 1 << 40,
    "bytes": b"\x00\xff",
    "string": "é",
    "when": Timestamp(1_700_000_000_000),
    "uuid": UUID(int=5),
}

values = st.one_of(
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.binary(max_size=40),
    st.text(max_size=20),
    st.integers(-(1 << 63), (1 << 63) - 1).map(Timestamp),
    st.uuids(),
)
names = st.text(min_size=1, max_size=20)
frames = st.builds(Frame, st.dictionaries(names, values, max_size=4), st.binary(max_size=60))


def raw_frame(head: bytes, payload: bytes = b"") -> bytes:
    """A frame with right checksums around *head*, whatever that holds."""
    sizes = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    frame = sizes + struct.pack(">I", crc32(sizes)) + head + payload
    return frame + struct.pack(">I", crc32(frame))


def test_all_header_types_survive() -> None:
    """What is encoded is decoded, type for type."""
    (frame,) = EventStreamDecoder().feed(encode_frame(HEADERS, b"{}"))
    assert frame == Frame(HEADERS, b"{}")
    assert {name: type(value) for name, value in frame.headers.items()} == {
        name: type(value) for name, value in HEADERS.items()
    }
    assert (frame.text(":event-type"), frame.text("int"), frame.text("absent")) == (
        "contentBlockDelta",
        "",
        "",
    )


def test_narrow_integers_are_decoded() -> None:
    """Byte and short are never encoded here, but a peer may send them."""
    head = b"\x01b\x02\xfe" + b"\x01s\x03\xff\x00"
    assert list(EventStreamDecoder().feed(raw_frame(head))) == [Frame({"b": -2, "s": -256}, b"")]


@given(st.lists(frames, max_size=4), st.data())
def test_any_cut_gives_the_same_frames(sent: list[Frame], data: st.DataObject) -> None:
    """However the bytes arrive, the frames are those that were sent."""
    stream = b"".join(encode_frame(frame.headers, frame.payload) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = EventStreamDecoder()
    got = [
        frame
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for frame in decoder.feed(stream[start:end])
    ]
    assert got == sent
    assert decoder.held == 0


@given(frames, st.data())
def test_any_flipped_bit_is_detected(frame: Frame, data: st.DataObject) -> None:
    """No corrupt frame is handed out: it raises, or more bytes are waited for in vain."""
    stream = bytearray(encode_frame(frame.headers, frame.payload))
    bit = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[bit // 8] ^= 1 << bit % 8
    with pytest.raises(UpstreamProtocolError, match="checksum"):
        list(EventStreamDecoder().feed(bytes(stream)))


@pytest.mark.parametrize("item", exchanges("bedrock.converse", streaming=True))
def test_recorded_streams_decode_as_botocore_decodes_them(item: dict[str, Any]) -> None:
    """Frame for frame the same as AWS's own decoder, also byte by byte."""
    oracle = pytest.importorskip("botocore.eventstream")
    stream = base64.b64decode(item["response"]["body_base64"])
    buffer = oracle.EventStreamBuffer()
    buffer.add_data(stream)
    expected = [(message.headers, message.payload) for message in buffer]
    decoder = EventStreamDecoder()
    whole = list(decoder.feed(stream))
    assert [(frame.headers, frame.payload) for frame in whole] == expected
    assert decoder.held == 0
    single = EventStreamDecoder()
    assert [f for i in range(len(stream)) for f in single.feed(stream[i : i + 1])] == whole


def test_botocore_reads_what_is_encoded_here() -> None:
    """The encoder is right by AWS's own decoder."""
    oracle = pytest.importorskip("botocore.eventstream")
    buffer = oracle.EventStreamBuffer()
    buffer.add_data(encode_frame(HEADERS, b"{}"))
    (message,) = buffer
    assert message.payload == b"{}"
    assert message.headers == {**HEADERS, "uuid": UUID(int=5).bytes}


def test_a_cut_stream_is_seen() -> None:
    """``held`` tells how much of an unfinished frame there is."""
    decoder = EventStreamDecoder()
    assert list(decoder.feed(encode_frame({}, b"abc")[:-1])) == []
    assert decoder.held == 18


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        pytest.param(encode_frame({}, b"x" * 200), "over 100 bytes", id="too-large"),
        pytest.param(b'{"message": "not a stream"}', "prelude checksum", id="json"),
        pytest.param(raw_frame(b"\x01x\x0a"), "malformed headers", id="unknown-type"),
        pytest.param(raw_frame(b"\x05x"), "malformed headers", id="name-past-the-end"),
        pytest.param(
            raw_frame(b"\x01x\x07\x00\x09a"), "malformed headers", id="value-past-the-end"
        ),
        pytest.param(raw_frame(b"\x01x\x04\x00"), "malformed headers", id="short-number"),
        pytest.param(raw_frame(b"\x01x\x09\x00"), "malformed headers", id="short-uuid"),
        pytest.param(raw_frame(b"\x01\xff\x00"), "malformed headers", id="name-not-utf8"),
    ],
)
def test_bytes_that_are_no_frame_raise(stream: bytes, message: str) -> None:
    """Wrong sizes and wrong headers end the stream, even under right checksums."""
    with pytest.raises(UpstreamProtocolError, match=message):
        list(EventStreamDecoder(max_frame_bytes=100).feed(stream))


@pytest.mark.parametrize(("total", "headers"), [(15, 0), (16, 1), (40, 1 << 18)])
def test_lengths_that_cannot_be_raise(total: int, headers: int) -> None:
    """A frame shorter than its parts is refused at its prelude."""
    sizes = struct.pack(">II", total, headers)
    with pytest.raises(UpstreamProtocolError):
        list(EventStreamDecoder().feed(sizes + struct.pack(">I", crc32(sizes))))


@pytest.mark.parametrize(
    "headers", [{"": "x"}, {"n" * 256: "x"}, {"n": "x" * 40_000}], ids=["empty", "name", "value"]
)
def test_headers_over_the_format_are_not_encoded(headers: dict[str, HeaderValue]) -> None:
    """Names have 1 to 255 bytes, values less than 32 KiB."""
    with pytest.raises(ValueError, match="a header"):
        encode_frame(headers, b"")


def test_frames_before_a_corrupt_one_are_handed_out() -> None:
    """What was whole is not lost with what was not."""
    good = encode_frame({}, b"good")
    frames = EventStreamDecoder().feed(good + b"x" * 40)
    assert next(frames).payload == b"good"
    with pytest.raises(UpstreamProtocolError):
        next(frames)
