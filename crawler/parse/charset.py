"""Which character encoding a page is in, and its text: the WHATWG order, labels and names, and no others."""

from __future__ import annotations

import codecs
import re

from crawler.models import CharsetSource
from crawler.parse.detect import detect
from crawler.parse.encodings import decode

SNIFF_BYTES = 64 * 1024  # how much of a body is looked at for a declaration, and to detect one where there is none

# WHATWG name: labels beside the name itself. What Python would also take (rot13, utf-7, idna …) is no label.
_LABELS = """
utf-8: unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8
ibm866: 866 cp866 csibm866
iso-8859-2: csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
iso-8859-3: csisolatin3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3
iso-8859-4: csisolatin4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4
iso-8859-5: csisolatincyrillic cyrillic iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988
iso-8859-6: arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987
iso-8859-7: csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek
iso-8859-8: csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual
iso-8859-8-i: csiso88598i logical
iso-8859-10: csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6
iso-8859-13: iso8859-13 iso885913
iso-8859-14: iso8859-14 iso885914
iso-8859-15: csisolatin9 iso8859-15 iso885915 iso_8859-15 l9
iso-8859-16:
koi8-r: cskoi8r koi koi8 koi8_r
koi8-u: koi8-ru
macintosh: csmacintosh mac x-mac-roman
windows-874: dos-874 iso-8859-11 iso8859-11 iso885911 tis-620
windows-1250: cp1250 x-cp1250
windows-1251: cp1251 x-cp1251
windows-1252: ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii x-cp1252
windows-1253: cp1253 x-cp1253
windows-1254: cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 x-cp1254
windows-1255: cp1255 x-cp1255
windows-1256: cp1256 x-cp1256
windows-1257: cp1257 x-cp1257
windows-1258: cp1258 x-cp1258
x-mac-cyrillic: x-mac-ukrainian
gbk: chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk
gb18030:
big5: big5-hkscs cn-big5 csbig5 x-x-big5
euc-jp: cseucpkdfmtjapanese x-euc-jp
iso-2022-jp: csiso2022jp
shift_jis: csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis
euc-kr: cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949
replacement: csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr
utf-16be: unicodefffe
utf-16le: csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16
x-user-defined:
"""  # noqa: E501 - one encoding a line
_NAMES: dict[str, str] = {}
for _line in _LABELS.strip().splitlines():
    _name, _, _others = _line.partition(":")
    _NAMES.update(dict.fromkeys([_name, *_others.split()], _name))

_SPACE = "\t\n\f\r "
_NOT_ASCII = ("utf-16", "iso-2022-jp", "replacement")  # ASCII bytes mean something else there
_USUAL = "windows-1252"  # Pages that are not UTF-8 and do not say what they are have this encoding.
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))


def encoding_of_label(label: str) -> str | None:
    """The lower-case WHATWG name of the encoding with this label, None if there is none.

    Source: WHATWG Encoding Standard, 4.2.
    """
    return _NAMES.get(label.strip(_SPACE).lower()) if len(label) < 100 else None


def charset_of_type(content_type: str | None) -> str | None:
    """The value of the charset parameter of a Content-Type field, None if it has none."""
    if not content_type or "charset" not in content_type.lower():
        return None
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")
    return None


def decode_text(body: bytes, label: str | None) -> tuple[bytes, str, CharsetSource]:
    """Turn a page into UTF-8 without a byte-order mark; whatever cannot be read becomes U+FFFD, nothing raises.

    Args:
        body: The page after content-decoding.
        label: The charset that its Content-Type names, or None.

    Returns:
        The UTF-8 bytes, the same object where they already were that, the lower-case WHATWG name of the encoding, and
        what told it.

    Source: WHATWG HTML, 13.2.3.2 (order: byte-order mark, transport, declaration, detection); WHATWG Encoding Standard.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return _to_utf8(body[len(mark) :], name), name, "bom"
    if label and (named := encoding_of_label(label)):
        return _to_utf8(body, named), named, "header"
    sample = body[:SNIFF_BYTES]
    if declared := _declared(sample):
        return _to_utf8(body, declared), declared, "meta"
    name, source = _guessed(sample, is_whole=len(body) <= SNIFF_BYTES)
    return _to_utf8(body, name), name, source


def _to_utf8(body: bytes, name: str) -> bytes:
    if name == "utf-8":
        if body.isascii():
            return body
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            return body.decode("utf-8", "replace").encode("utf-8")
        return body
    if body.isascii() and not name.startswith(_NOT_ASCII):
        return body
    return decode(body, name).encode("utf-8")


def _guessed(sample: bytes, *, is_whole: bool) -> tuple[str, CharsetSource]:
    """The encoding that the bytes themselves speak for, else the usual one."""
    if sample.isascii():
        return "utf-8", "default"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=is_whole)
    except UnicodeDecodeError:
        label = detect(sample, is_whole=is_whole)
        name = encoding_of_label(label) if label else None
        if name is None or decode(sample, name) == decode(sample, _USUAL):
            return _USUAL, "default"
        return name, "detected"
    return "utf-8", "detected"


_TAG = re.compile(rb"</?[a-zA-Z][^\s/>]*")
_META = re.compile(rb"<meta[\s/]", re.IGNORECASE)
# A quote that never closes runs to the end of the sample, so that no attribute is looked at twice.
_ATTRIBUTE = re.compile(
    rb"""[\s/]*+([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)(?:"|$)|'([^']*+)(?:'|$)|([^\s>"'][^\s>]*+)|))?"""
)
_XML = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]{1,100})["']""")
_CHARSET = re.compile(
    r"""charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r ;"'][^\t\n\f\r ;]*))""", re.I
)


def _declared(sample: bytes) -> str | None:
    """The encoding that the first meta element with a known one declares, else the XML declaration's.

    Source: WHATWG HTML, 13.2.3.2, prescan; browsers also heed a meta element behind the first 1,024 bytes.
    """
    name = _prescan(sample)
    if name is None and (match := _XML.match(sample)):
        name = encoding_of_label(match[1].decode("latin-1"))
    if name in ("utf-16be", "utf-16le"):
        return "utf-8"  # it could be read as ASCII up to here, so it is not UTF-16
    return "windows-1252" if name == "x-user-defined" else name


# Most pages of a site begin alike, up to the element that declares their encoding: that beginning, and the encoding.
_last_declared: tuple[bytes, str] = (b"<", "")


def _prescan(sample: bytes) -> str | None:
    global _last_declared
    head, name = _last_declared
    if name and sample.startswith(head):
        return name
    if b"charset" not in sample.lower():
        return None
    at = sample.find(b"<")
    while at >= 0:
        if sample.startswith(b"<!--", at):
            end = sample.find(b"-->", at + 2)
            if end < 0:
                return None
            at = end + 3
        elif tag := _TAG.match(sample, at):
            attributes, end = _attributes(sample, tag.end())
            if end == len(sample):  # the tag has no end, so nothing in it can be trusted
                return None
            if _META.match(sample, at) and (declared := _meta_encoding(attributes)):
                if sample[end : end + 1] == b">":
                    _last_declared = sample[: end + 1], declared
                return declared
            at = end
        elif sample[at + 1 : at + 2] in (b"!", b"/", b"?"):
            end = sample.find(b">", at)
            if end < 0:
                return None
            at = end
        else:
            at += 1
        at = sample.find(b"<", at)
    return None


def _attributes(sample: bytes, at: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while match := _ATTRIBUTE.match(sample, at):
        name, *values = match.groups()
        value = next((each for each in values if each is not None), b"")
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        at = match.end()
    return found, at


def _meta_encoding(attributes: dict[str, str]) -> str | None:
    if "charset" in attributes:
        return encoding_of_label(attributes["charset"])
    if attributes.get("http-equiv", "").lower() == "content-type":
        match = _CHARSET.search(attributes.get("content", ""))
        return encoding_of_label(next(each for each in match.groups() if each is not None)) if match else None
    return None
