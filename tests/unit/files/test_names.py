"""The names of saved files: inside of the folder, harmless on every system, the same each time, and no two alike."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler import urls
from crawler.errors import UrlError
from crawler.files.names import MAX_NAME_BYTES, MAX_PATH_BYTES, flat_path_of, path_of, suggested

HOME = "https://example.com"
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\.|$)", re.IGNORECASE)
NAUGHTY = [
    "../../etc/passwd",
    "..\\..\\windows\\system32\\drivers\\etc\\hosts",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252fetc",
    "..%5c..%5cboot.ini",
    "/etc/passwd",
    "C:\\autoexec.bat",
    "C:",
    "c%3a%5cboot.ini",
    "\\\\server\\share\\file.pdf",
    "%5c%5cserver%5cshare",
    "//server/share/file.pdf",
    ".bashrc",
    ".htaccess",
    ".ssh/authorized_keys",
    "%2ebashrc",
    "...",
    ".",
    "..",
    "CON",
    "con.pdf",
    "nul.tar.gz",
    "COM1.txt",
    "com¹.pdf",
    "LPT9",
    "aux.",
    "name.",
    "name ",
    "name.pdf. . .",
    "name%20",
    "name.pdf%00.exe",
    "name\0.pdf",
    "fdp\u202eexe.pdf",
    "%E2%80%AEfdp.exe",
    "\u2066isolated\u2069.pdf",
    "a\nb.pdf",
    "a%0d%0ab.pdf",
    "a\x1b[31mred.pdf",
    "x" * 4096,
    "x" * 4096 + ".pdf",
    "ü" * 2000 + ".pdf",
    "a." * 300 + "pdf",
    "NAME.PDF",
    "naïve – “quoted”.pdf",
    "e\u0301te\u0301.pdf",
    "\ufeff.pdf",
    "~",
    "-rf",
    "--help.pdf",
    "$(touch x).pdf",
    "`id`.pdf",
    "a;b|c&d.pdf",
    "file:stream.pdf",
    "name.pdf::$DATA",
    "a*b?.pdf",
    "<script>.pdf",
    "+partial",
    "+partial/x.part",
    "index-0123456789abcdef.pdf",
    "x-0123456789abcdef.tar.gz",
    "%ff%fe.pdf",
    "\ud800.pdf",
    "",
]

kinds = st.sampled_from([None, "", "text/html", "application/pdf", "image/png", "application/x-unheard-of", "x", "//"])
letters = st.sampled_from(
    [*"abyz09AZ-_.+~ \\/%:*?\"<>|'\0\n\x7f", "%2e", "%2F", "%00", "ü", "\u202e", "\u0301", "ſ", "K"]
)
names = st.one_of(st.sampled_from(NAUGHTY), st.lists(letters, max_size=40).map("".join), st.text(max_size=40))


def canonical(url: str) -> str:
    try:
        return urls.canonicalize(url)
    except (UrlError, UnicodeError):
        return HOME + "/"


def assert_harmless(path: tuple[str, ...]) -> None:
    assert 2 <= len(path)
    assert len("/".join(path).encode()) <= MAX_PATH_BYTES
    for part in path:
        assert 0 < len(part.encode()) <= MAX_NAME_BYTES, part
        assert part[0] not in ".-+~ ", part
        assert part[-1] not in ". ", part
        assert not DEVICES.match(part), part
        assert not set(part) & set('/\\:*?"<>|%\0'), part
        assert not any(unicodedata.category(char)[0] in "CZ" for char in part), ascii(part)
        assert unicodedata.normalize("NFC", part) == part
    assert "." in path[-1]
    assert not any("." in folder for folder in path[1:-1])


@pytest.mark.parametrize("name", NAUGHTY)
@pytest.mark.parametrize("place", ["path", "query", "host folder", "suggested", "suggested, extended"])
def test_a_naughty_name_becomes_a_harmless_one_inside_of_the_folder(name: str, place: str) -> None:
    """Wherever the server says it: in a URL or in Content-Disposition."""
    # scenarios 81, 82
    disposition = None
    url = f"{HOME}/get"
    if place == "path":
        url = canonical(f"{HOME}/{name}")
    elif place == "query":
        url = canonical(f"{HOME}/get?file={name}")
    elif place == "host folder":
        url = canonical(f"https://{name[:40]}.example/file.pdf")
    elif place == "suggested":
        disposition = f'attachment; filename="{name}"'
    else:
        disposition = "attachment; filename*=UTF-8''" + "".join(
            f"%{byte:02X}" for byte in name.encode("utf-8", "surrogatepass")
        )
    for kind in (None, "application/pdf", "text/html"):
        assert_harmless(path_of(url, kind, disposition))
        assert_harmless(flat_path_of(url, kind, disposition))


@settings(deadline=None)
@given(names, kinds, names)
def test_any_name_becomes_a_harmless_one(name: str, kind: str | None, suggestion: str) -> None:
    """Also those that nobody has thought of."""
    # scenarios 81, 82
    url = canonical(f"{HOME}/{name}")
    path = path_of(url, kind, f'attachment; filename="{suggestion}"')
    assert_harmless(path)
    assert path == path_of(url, kind, f'attachment; filename="{suggestion}"')


pieces = st.sampled_from(
    "a A a.pdf A.pdf a.PDF a.tar.gz b a.b ? ?a.pdf ?x %61 a%2Epdf index.html a-0123456789abcdef.pdf con ſ.pdf s.pdf "
    "_ a.pdf?x=1 a.tar.gz?x a.gz?x a.pdf?x=1&y=2 a+x=1.pdf K.pdf k.pdf é.pdf e\u0301.pdf ß.pdf ss.pdf ".split(" ")
)
origins = st.sampled_from(
    "https://a.example http://a.example https://a.example:80 http://a.example:443 http://a.example:8080 "
    "https://a.example:8080 https://A.example https://a.example. https://a+http.example https://[::1]".split()
)
documents = st.builds(
    lambda start, parts: canonical(f"{start}/{'/'.join(parts)}"), origins, st.lists(pieces, max_size=4)
)


@settings(deadline=None)
@given(st.lists(st.tuples(documents, kinds), min_size=2, max_size=8, unique_by=lambda each: each[0]))
@example([("https://h.example/a.pdf", None), ("https://h.example/a.pdf/b.pdf", None)])
@example([("https://h.example/Report.pdf", None), ("https://h.example/report.pdf", None)])
@example([("http://h.example/a.pdf", None), ("https://h.example/a.pdf", None)])
@example([("https://h.example/a", "text/html"), ("https://h.example/a.html", "text/html")])
def test_no_two_urls_share_a_name_and_no_file_is_in_the_way_of_a_folder(given_: list[tuple[str, str | None]]) -> None:
    """Also where the file system takes capitals for small letters, and composed for decomposed ones."""
    # scenarios 82, 83
    paths = sorted(
        tuple(unicodedata.normalize("NFD", part).casefold() for part in path_of(url, kind)) for url, kind in given_
    )
    for one, next_one in pairwise(paths):
        assert next_one[: len(one)] != one


def test_a_name_of_another_url_cannot_be_forged() -> None:
    """A URL whose own name looks like one with a fingerprint gets a fingerprint of its own."""
    flat = path_of(f"{HOME}/get?id=7", "application/pdf")
    forged = path_of("/".join((HOME, flat[-1])), "application/pdf")
    assert flat[0] == forged[0]
    assert flat[-1] != forged[-1]


@pytest.mark.parametrize(
    ("url", "kind", "path"),
    [
        (f"{HOME}/docs/2024-01/report_final.pdf", "application/pdf", "example.com/docs/2024-01/report_final.pdf"),
        (f"{HOME}/jquery-3.7.1.min.js", "text/javascript", "example.com/jquery-3.7.1.min.js"),
        (f"{HOME}/a.tar.gz", "application/gzip", "example.com/a.tar.gz"),
        (f"{HOME}/about.html", "text/html", "example.com/about.html"),
        (f"{HOME}/data.csv", "text/plain; charset=utf-8", "example.com/data.csv"),
        (f"{HOME}/setup.exe", "application/octet-stream", "example.com/setup.exe"),
        ("http://example.com/a.pdf", "application/pdf", "example.com+http/a.pdf"),
        ("http://127.0.0.1:8080/a.pdf", "application/pdf", "127.0.0.1+http+8080/a.pdf"),
        ("https://example.com:8443/a.pdf", "application/pdf", "example.com+8443/a.pdf"),
        (f"{HOME}//image.png", "image/png", "example.com/_/image.png"),
        (f"{HOME}/a//b///image.png", "image/png", "example.com/a/_/b/_/_/image.png"),
        (f"{HOME}/image.png?w=80&h=60", "image/png", "example.com/image+w=80+h=60.png"),
        (f"{HOME}/a.tar.gz?id=7", "application/gzip", "example.com/a+id=7.tar.gz"),
    ],
)
def test_a_plain_url_keeps_its_path(url: str, kind: str, path: str) -> None:
    assert "/".join(path_of(url, kind)) == path


@pytest.mark.parametrize(
    ("url", "kind", "disposition", "name"),
    [
        ("/get?id=7", "application/pdf", None, "get-#.pdf"),
        ("/", "text/html", None, "index-#.html"),
        ("/about", "text/html", None, "about-#.html"),
        ("/about/", "text/html", None, "about-#.html"),
        ("/index.php", "text/html; charset=utf-8", None, "index-#.html"),
        ("/image.php", "image/png", None, "image-#.png"),
        ("/page.html", "image/png", None, "page-#.png"),
        ("/Annual%20Report.PDF", "application/pdf", None, "Annual_Report-#.pdf"),
        ("/%C3%9Cbersicht.tar.gz", "application/gzip", None, "Übersicht-#.tar.gz"),
        ("/v/report.2024", "application/pdf", None, "report_2024-#.pdf"),
        ("/download", "application/x-unheard-of", None, "download-#.bin"),
        ("/download", "application/pdf", 'attachment; filename="Report 7.pdf"', "Report_7-#.pdf"),
        ("/download", "application/pdf", "attachment; filename=plain.pdf; size=7", "plain-#.pdf"),
        ("/download", "text/csv", "attachment; filename*=UTF-8''%C3%BCber.csv; filename=uber.csv", "über-#.csv"),
        ("/download", "application/pdf", 'attachment; filename="a\\"b.pdf"', "a_b-#.pdf"),
        ("/download", "application/pdf", "attachment", "download-#.pdf"),
    ],
)
def test_any_other_url_gets_a_flat_name_with_its_fingerprint(
    url: str, kind: str, disposition: str | None, name: str
) -> None:
    mark = f"{urls.fingerprint(HOME + url) & (2**64 - 1):016x}"
    assert path_of(HOME + url, kind, disposition) == ("example.com", name.replace("#", mark))


def test_a_suggestion_moves_no_plain_url() -> None:
    """Its name stays that of the URL, so that nobody has to ask what a server suggests this time."""
    assert path_of(f"{HOME}/a.pdf", "application/pdf", 'attachment; filename="b.pdf"') == ("example.com", "a.pdf")


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (None, ""),
        ("inline", ""),
        ('attachment; filename="../../x/.bashrc"', ".bashrc"),
        ('attachment; filename="C:\\\\x\\\\y.pdf"', "y.pdf"),
        ("attachment; filename*=iso-8859-1''x.pdf", ""),
        ('attachment; filename="Ã¼.pdf"', "ü.pdf"),  # UTF-8, read as latin-1
        ('attachment; filename="', ""),
        ("attachment; filename*=UTF-8''%FF%00.pdf", "\ufffd\0.pdf"),
    ],
)
def test_of_a_suggestion_only_the_last_part_counts(field: str | None, name: str) -> None:
    # scenario 81
    assert suggested(field) == name
