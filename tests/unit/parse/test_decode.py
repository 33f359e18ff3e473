"""Content-coding, character encoding and sniffing: whatever a server claims, a page becomes text within bounds."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.charset import charset_of_type, decode_text, encoding_of_label
from crawler.parse.decode import Decoded, is_html, undo_codings

LIMIT = 1024 * 1024
# Words in no order: every coding then has work left behind the middle of its data.
TEXT = " ".join(random.Random(7).choices("a page of a site that has many words and links".split(), k=20_000)).encode()


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


CODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("coding", CODERS)
def test_each_coding_is_undone(coding: str) -> None:
    assert undo_codings(CODERS[coding](TEXT), [coding], LIMIT) == Decoded(TEXT)


def test_deflate_without_its_wrapper_is_undone() -> None:
    assert undo_codings(raw_deflate(TEXT), ["deflate"], LIMIT) == Decoded(TEXT)


def test_codings_are_undone_in_reverse_order_over_all_fields_and_identity_is_none() -> None:
    body = brotli.compress(zlib.compress(gzip.compress(TEXT)))
    assert undo_codings(body, ["GZIP , identity,", "deflate,br"], LIMIT) == Decoded(TEXT)


def test_a_body_without_coding_is_handed_on_as_the_same_object() -> None:
    assert undo_codings(TEXT, [], LIMIT).body is TEXT


def test_no_body_at_all_is_complete_whatever_its_coding() -> None:
    assert undo_codings(b"", ["gzip"], LIMIT) == Decoded(b"")


def test_more_than_five_layers_are_refused() -> None:  # scenario 31
    assert undo_codings(TEXT, ["gzip"] * 6, LIMIT) == Decoded(b"", fault="too_many_codings")


def test_five_layers_are_undone() -> None:
    body = TEXT
    for _ in range(5):
        body = gzip.compress(body)
    assert undo_codings(body, ["gzip, gzip, gzip, gzip, gzip"], LIMIT) == Decoded(TEXT)


@pytest.mark.parametrize("coding", CODERS)
def test_plain_text_that_claims_a_coding_is_taken_as_it_is(coding: str) -> None:  # scenario 22
    page = b"<!DOCTYPE html><title>Plain</title>" + TEXT
    decoded = undo_codings(page, [coding], LIMIT)
    assert decoded == Decoded(page, fault="bad_coding")
    assert decoded.is_as_received


def test_an_unknown_coding_is_left_alone() -> None:  # scenario 22
    assert undo_codings(b"<p>", ["utf-8"], LIMIT) == Decoded(b"<p>", fault="unknown_coding")


@pytest.mark.parametrize("coding", CODERS)
def test_a_coding_that_breaks_off_leaves_a_prefix_that_is_not_complete(coding: str) -> None:  # scenario 22
    whole = CODERS[coding](TEXT)
    decoded = undo_codings(whole[: len(whole) * 3 // 4], [coding], LIMIT)
    assert (decoded.complete, decoded.fault) == (False, "broken_coding")
    assert TEXT.startswith(decoded.body)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_damage_in_the_middle_keeps_what_came_before_it(coding: str) -> None:  # scenario 22
    whole = bytearray(CODERS[coding](TEXT))
    middle = len(whole) // 2
    whole[middle : middle + 400] = b"\xff" * 400
    decoded = undo_codings(bytes(whole), [coding], LIMIT)
    assert (decoded.complete, decoded.fault) == (False, "broken_coding")
    assert len(decoded.body) > len(TEXT) // 4
    assert decoded.body[: len(TEXT) // 4] == TEXT[: len(TEXT) // 4]


def test_a_wrong_checksum_keeps_the_data_and_is_told() -> None:  # scenario 22
    whole = bytearray(gzip.compress(TEXT))
    whole[-8] ^= 0xFF
    decoded = undo_codings(bytes(whole), ["gzip"], LIMIT)
    assert (decoded.body[:-100], decoded.complete) == (TEXT[: len(decoded.body) - 100], False)
    assert len(decoded.body) > len(TEXT) - 1000


def test_members_and_frames_follow_each_other_and_padding_is_dropped() -> None:
    assert undo_codings(gzip.compress(b"one") + gzip.compress(b"two") + b"\0" * 9, ["gzip"], LIMIT) == Decoded(
        b"onetwo"
    )
    zstd = CODERS["zstd"]
    assert undo_codings(zstd(b"one") + zstd(b"two") + b"\0" * 9, ["zstd"], LIMIT) == Decoded(b"onetwo")


def test_a_damaged_second_member_keeps_the_first() -> None:
    decoded = undo_codings(gzip.compress(b"one") + gzip.compress(TEXT)[:-20], ["gzip"], LIMIT)
    assert decoded.body.startswith(b"one" + TEXT[:1000])
    assert not decoded.complete


class _CountedSlices(bytes):
    """Bytes that add up how much of them is copied out by slicing."""

    copied = 0

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        piece = super().__getitem__(key)
        _CountedSlices.copied += len(piece) if isinstance(key, slice) else 1
        return piece


def test_thousands_of_empty_members_are_read_in_linear_time() -> None:  # scenario 32
    members = 5_000
    body = _CountedSlices(gzip.compress(b"") * members + gzip.compress(b"end"))
    _CountedSlices.copied = 0
    assert undo_codings(body, ["gzip"], LIMIT) == Decoded(b"end")
    assert _CountedSlices.copied <= len(body) + members * 1024


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_cut_at_the_limit_and_memory_stays_bounded(coding: str) -> None:  # scenarios 30 and 33
    bomb = CODERS[coding](bytes(64 * LIMIT))
    tracemalloc.start()
    decoded = undo_codings(bomb, [coding], LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decoded == Decoded(bytes(LIMIT), truncated="length")
    assert peak < 2 * LIMIT + 16 * 1024 * 1024


def test_a_body_of_exactly_the_limit_is_whole() -> None:
    for coding, code in CODERS.items():
        assert undo_codings(code(TEXT), [coding], len(TEXT)) == Decoded(TEXT)


def test_a_body_without_coding_is_cut_at_the_limit() -> None:
    assert undo_codings(b"12345", [], 3) == Decoded(b"123", truncated="length")


@given(st.binary(max_size=300), st.lists(st.sampled_from([*CODERS, "x"]), max_size=6))
def test_no_bytes_make_decoding_raise(body: bytes, codings: list[str]) -> None:
    assert len(undo_codings(body, codings, 1000).body) <= 1000


# Character encoding


def test_every_label_is_of_the_encoding_standard_and_no_codec_of_python_beside() -> None:  # scenario 39
    for name in ("rot13", "zlib", "unicode_escape", "idna", "utf-7", "utf7", "utf_8", "latin_1", "mbcs", "base64", ""):
        assert encoding_of_label(name) is None
    assert encoding_of_label("\tUTF8 \n") == "utf-8"
    assert encoding_of_label("ISO-8859-1") == "windows-1252"
    assert encoding_of_label("x" * 1_000_000) is None  # scenario 38


@pytest.mark.parametrize(
    ("label", "raw", "text"),
    [
        ("iso-8859-1", b"\x80\x81\xe9", "€\x81é"),
        ("windows-1253", b"\xaa\xe1", "\ufffdα"),
        ("koi8-r", "Привет".encode("koi8-r"), "Привет"),
        ("gb2312", "你好".encode("gb18030"), "你好"),
        ("big5", "你好".encode("big5"), "你好"),
        ("shift_jis", "①テスト".encode("cp932"), "①テスト"),
        ("euc-jp", "テスト".encode("euc-jp"), "テスト"),
        ("iso-2022-jp", "テスト".encode("iso2022_jp"), "テスト"),
        ("ks_c_5601-1987", "한국어똠".encode("cp949"), "한국어똠"),
        ("iso-8859-8-i", "שלום".encode("iso8859-8"), "שלום"),
        ("tis-620", "ไทย".encode("cp874"), "ไทย"),
        ("unicode", "hé".encode("utf-16-le"), "hé"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("iso-2022-kr", b"<script>", "\ufffd"),
    ],
)
def test_bodies_are_read_with_the_tables_of_the_encoding_standard(label: str, raw: bytes, text: str) -> None:
    body, name, _ = decode_text(raw, label)
    assert (body.decode(), name) == (text, encoding_of_label(label))


def test_a_byte_order_mark_beats_the_header_which_beats_the_page() -> None:  # scenario 38
    page = b'<meta charset="koi8-r">'
    assert decode_text(b"\xef\xbb\xbf" + page, "windows-1251") == (page, "utf-8", "bom")
    assert decode_text("\ufeffé".encode("utf-16-le"), "windows-1251") == ("é".encode(), "utf-16le", "bom")
    assert decode_text(page, "windows-1251")[1:] == ("windows-1251", "header")
    assert decode_text(page, "utf-7")[1:] == ("koi8-r", "meta")
    assert decode_text(page, None)[1:] == ("koi8-r", "meta")
    assert decode_text(b'<?xml version="1.0" encoding="koi8-r"?>', None)[1:] == ("koi8-r", "meta")
    assert decode_text("né".encode(), None)[1:] == ("utf-8", "detected")
    assert decode_text(b"plain", None)[1:] == ("utf-8", "default")
    assert decode_text(b"caf\xe9", None)[1:] == ("windows-1252", "default")


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (b"<META CHARSET=koi8-r>", "koi8-r"),
        (b'<meta http-equiv=Content-Type content="text/html; charset=Shift_JIS">', "shift_jis"),
        (b'<meta content="text/html; charset=koi8-r">', "utf-8"),
        (b"<!-- <meta charset=koi8-r> --><meta charset='windows-1251'>", "windows-1251"),
        (b'<a title="<meta charset=koi8-r>"><meta charset="euc-kr">', "euc-kr"),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b'<?xml version="1.0" encoding="iso-8859-2"?><html>', "iso-8859-2"),
        (b"<!-- unclosed <meta charset=koi8-r>", "utf-8"),
        (b"<meta charset=koi8-r", "utf-8"),
        (b'<a title="unclosed><meta charset=koi8-r>', "utf-8"),
        (b"<p>\xc3\xa9</p>", "utf-8"),
        (b"<p>\xe9</p>", "windows-1252"),
        (b"", "utf-8"),
    ],
)
def test_a_page_declares_its_encoding_or_it_is_guessed(page: bytes, name: str) -> None:  # scenario 38
    assert decode_text(page, None)[1] == name


def test_a_character_cut_by_the_sample_does_not_spoil_the_guess() -> None:  # scenario 43
    page = b"a" * (64 * 1024 - 1) + "é".encode() * 3
    assert decode_text(page, None)[:2] == (page, "utf-8")


def test_of_an_enormous_page_only_the_beginning_is_searched_for_its_encoding() -> None:  # scenario 43
    """What stands behind the first 64 KiB declares nothing, and no more than that is copied to look for it."""
    declaration = b"<meta charset=koi8-r>"
    early = declaration.rjust(64 * 1024, b" ")
    late = _CountedSlices(b"<a href=x charset>" * 3_000_000 + declaration)
    assert decode_text(early + declaration, None)[1] == "koi8-r"
    assert decode_text(b" " + early, None)[1] == "utf-8"
    _CountedSlices.copied = 0
    assert decode_text(late, None)[1] == "utf-8"
    assert _CountedSlices.copied <= 2 * 64 * 1024


@pytest.mark.parametrize("label", ["nonsense", "utf-7", "rot13", "x" * 1_000_000, "", "\0", "utf-8\0", "utf–8"])
def test_a_label_that_is_none_is_as_good_as_no_label(label: str) -> None:  # scenarios 38 and 39
    assert decode_text(b"<meta charset=koi8-r>\xc1", label) == ("<meta charset=koi8-r>а".encode(), "koi8-r", "meta")
    assert decode_text(b"caf\xe9", label) == ("café".encode(), "windows-1252", "default")


@pytest.mark.parametrize("label", ["iso-2022-jp", "hz-gb-2312", "iso-2022-kr", "utf-16le", "utf-16be"])
def test_markup_that_another_encoding_would_hide_is_never_read_as_ascii_text(label: str) -> None:  # scenario 39
    """What a browser would show as characters of the encoding does not become a tag."""
    body = {"iso-2022-jp": b"\x1b$B<script>\x1b(B", "hz-gb-2312": b"~{<script>~}"}.get(label, b"<script>")
    assert b"<script>" not in decode_text(body, label)[0]


def test_valid_utf_8_is_handed_on_as_the_same_object_and_invalid_is_mended() -> None:  # scenario 40
    page = "né".encode()
    assert decode_text(page, "utf-8")[0] is page
    assert decode_text(b"a\xff\xed\xa0\x80b", "utf-8")[0].decode() == "a" + "\ufffd" * 4 + "b"


@given(st.binary(max_size=200), st.sampled_from([None, "utf-8", "gbk", "utf-16", "iso-2022-jp", "windows-874", "big5"]))
def test_no_bytes_make_reading_text_raise(body: bytes, label: str | None) -> None:  # scenario 40
    decode_text(body, label)[0].decode("utf-8")


@given(st.text("<meta charset=\"'!->/ \t\nax;content", max_size=200))
def test_no_declaration_makes_the_prescan_raise(page: str) -> None:
    decode_text(page.encode() + b"charset\xff", None)


def test_the_charset_of_a_content_type_is_found() -> None:
    assert charset_of_type('text/html; x=1; Charset="UTF-8"') == "UTF-8"
    assert charset_of_type("text/html") is None
    assert charset_of_type(None) is None


# Sniffing


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/html; charset=utf-8", b"hello", True),
        ("Application/XHTML+XML", b"<html/>", True),
        ("text/html", b"%PDF-1.7", False),
        ("text/html", b"\x89PNG\r\n\x1a\n", False),
        ("text/plain", b"<!DOCTYPE html>", False),
        ("application/json", b"{}", False),
        ("application/xml", b"<?xml version='1.0'?><rss>", False),
        ("image/png", b"<html>", False),
        (None, b" \n<!doctype HTML >", True),
        ("", b"\xef\xbb\xbf<html>", True),
        ("*/*", b"<p>", True),
        ("nonsense", b"<!-- c -->", True),
        (None, b"<pre>", False),
        (None, b"hello", False),
        (None, b"<?xml version='1.0'?>", False),
        (None, b"", False),
    ],
)
def test_what_is_a_page(content_type: str | None, body: bytes, expected: bool) -> None:  # scenario 41
    assert is_html(content_type, body) is expected


def test_binary_data_behind_a_wrong_coding_is_no_page() -> None:
    assert not is_html("text/html", b"\x01\x02\x03", is_as_received=True)
    assert is_html("text/html", b"<p>", is_as_received=True)
