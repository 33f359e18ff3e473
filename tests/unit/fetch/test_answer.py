"""One answer has one meaning, however its bytes were cut into packets."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import FetchError
from crawler.fetch.answer import AnswerParser
from crawler.fetch.dial.target import Limits

LIMITS = Limits(max_header_bytes=2048, max_header_fields=20)
STARTS = [
    b"",
    b"\r\n",
    b"HTTP/1.1 200 OK",
    b"HTTP/1.0 404 No\n",
    b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204",
    b"HTTP/2 200",
]
LINES = [
    *(b"Content-Length: 5", b"content-length :7", b"Content-Length: -1", b"Content-Length: 5, 5", b"Content-Length: 0"),
    *(
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Connection: close",
        b"Name: value",
        b" folded",
        b"x",
    ),
    *(b"Nul: \x00", b"High: \xff", b"Long: " + b"x" * 700, b": nameless", b"Cr: a\rb", b"Tail: x\r"),
]
BODIES = [
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\nA: b\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"5",
    b"zz",
    b";ext",
    b"\x00",
]
ANSWERS = st.builds(
    lambda start, lines, end, body: start + b"".join(end + line for line in lines) + end + end + b"".join(body),
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.sampled_from([b"\r\n", b"\r\n", b"\n"]),
    st.lists(st.sampled_from(BODIES), max_size=8),
)


def outcome(pieces: list[bytes]) -> tuple[object, ...]:
    """Everything that an answer means."""
    parser = AnswerParser(LIMITS)
    body = b""
    try:
        for piece in pieces:
            body += parser.feed(piece)
        parser.feed_eof()
    except FetchError as error:
        return (error.reason,)
    return parser.status, parser.headers, body, parser.is_complete, parser.broken is None, parser.can_reuse


@given(ANSWERS, st.lists(st.integers(0, 500), max_size=8))
def test_packets_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """Also no other exception than FetchError ever comes out."""
    borders = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    packets = [data[start:end] for start, end in pairwise(borders)]
    assert outcome(packets) == outcome([data]) == outcome([data[i : i + 1] for i in range(len(data))])


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_fetch_error(data: bytes) -> None:
    outcome([data])
    outcome([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data])


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=10))
def test_chunks_give_back_what_was_put_in(chunks: list[bytes]) -> None:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    result = outcome([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded])
    assert result[2:] == (b"".join(chunks), True, True, True)


@pytest.mark.parametrize("value", ["\r\nSet-Cookie: x", "a\rb", "a\0b", "a\r\n b", " \t "])
def test_no_header_value_can_forge_a_line(value: str) -> None:
    # scenarios 20, 87
    result = outcome([f"HTTP/1.1 200 OK\r\nName: {value}\r\n\r\n".encode("latin-1")])
    assert not any(character in text for field in result[1] for text in field for character in "\r\n\0")  # type: ignore[attr-defined]
