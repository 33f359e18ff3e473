"""Seeds from arguments, site lists, standard input and settings."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import UsageError
from crawler.scope import seeds
from crawler.scope.scope import SeedSite
from crawler.settings.groups import SiteSettings

ListFile = Callable[[str | bytes], str]


@pytest.fixture
def list_file(tmp_path: Path) -> ListFile:
    """Writes a site list and gives its path."""

    def write(content: str | bytes) -> str:
        path = tmp_path / "sites.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def read(
    arguments: Sequence[str] = (),
    files: Sequence[str] = (),
    tables: Sequence[SiteSettings] = (),
    stdin: bytes = b"",
) -> seeds.Seeds:
    return seeds.read(arguments, files, tables, "host", io.BytesIO(stdin))


def urls_of(found: seeds.Seeds) -> list[str]:
    return [site.seed for site in found.sites]


def fault_of(*arguments: str, **sources: object) -> str:
    with pytest.raises(UsageError) as caught:
        read(arguments, **sources)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_seeds_are_canonical_and_in_the_order_given(list_file: ListFile) -> None:
    found = read(
        ["HTTPS://B.example:443/x/../y#part"],
        [list_file("https://a.example\n"), "-"],
        [SiteSettings(url="https://d.example/")],
        stdin=b"https://c.example/\n",
    )
    assert urls_of(found) == ["https://b.example/y", "https://a.example/", "https://c.example/", "https://d.example/"]
    assert found.notes == ()


def test_the_kind_of_scope_is_that_of_the_crawl() -> None:
    assert seeds.read(["https://a.example/b/"], [], [], "prefix", io.BytesIO()).sites == (
        SeedSite("https://a.example/b/", "prefix"),
    )


def test_a_line_may_carry_its_own_limits(list_file: ListFile) -> None:
    found = read([], [list_file("https://a.example/ max_pages=100 delay=2.5 depth=3 # slowly\nhttps://b.example/\n")])
    assert found.sites == (
        SeedSite("https://a.example/", max_pages=100, delay_s=2.5, max_depth=3),
        SeedSite("https://b.example/"),
    )


def test_site_tables_carry_limits_too() -> None:
    table = SiteSettings(url="a.example", max_pages=7, delay_s=0.0, max_depth=0)
    assert read(tables=[table]).sites == (SeedSite("https://a.example/", max_pages=7, delay_s=0.0, max_depth=0),)


def test_comments_and_empty_lines_are_passed_over(list_file: ListFile) -> None:
    content = "# sites\n\n   \n  # more\nhttps://a.example/#part # a fragment is no comment\n\t\nhttps://b.example/\n"
    assert urls_of(read([], [list_file(content)])) == ["https://a.example/", "https://b.example/"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_line_ends_and_byte_order_marks_do_not_matter(list_file: ListFile, end: str, encoding: str) -> None:
    content = end.join(["https://a.example/", "https://b.example/ depth=1", ""]).encode(encoding)
    assert urls_of(read([], [list_file(content)])) == ["https://a.example/", "https://b.example/"]


def test_bytes_that_are_not_utf8_spoil_only_their_line_and_are_told(list_file: ListFile) -> None:
    found = read([], [list_file(b"# caf\xe9\nhttps://a.example/caf\xe9\nhttps://b.example/\n")])
    assert urls_of(found) == ["https://a.example/caf%EF%BF%BD", "https://b.example/"]
    assert [note for note in found.notes if "line 2" in note and "UTF-8" in note]


@pytest.mark.parametrize(
    ("given_text", "url"),
    [
        ("example.com", "https://example.com/"),
        ("example.com/a?b", "https://example.com/a?b"),
        ("example.com:8080/a", "https://example.com:8080/a"),
        ("localhost:8000", "https://localhost:8000/"),
        ("//example.com/a", "https://example.com/a"),
        ("127.0.0.1:8000/", "https://127.0.0.1:8000/"),
        ("[::1]:8000", "https://[::1]:8000/"),
        ("bücher.example", "https://xn--bcher-kva.example/"),
        ("example.com/?next=http://other.example/", "https://example.com/?next=http://other.example/"),
    ],
)
def test_a_missing_scheme_is_https_and_is_told(given_text: str, url: str) -> None:
    found = read([given_text])
    assert urls_of(found) == [url]
    assert found.notes == (f"{url} was given without a scheme; https is taken",)


@pytest.mark.parametrize(
    "given_text",
    [
        "https://user:secret@a.example/",
        "https://user:sec@ret@a.example/",
        "https://secret@a.example/",
        "user:secret@a.example",
        "https:\\\\user:secret@a.example/",
    ],
)
def test_a_password_in_a_seed_is_removed_and_not_repeated(given_text: str) -> None:
    # scenario 49
    found = read([given_text])
    assert urls_of(found) == ["https://a.example/"]
    assert any("removed" in note for note in found.notes)
    assert "secret" not in repr(found)


def test_an_at_sign_in_a_path_is_no_password() -> None:
    assert read(["https://a.example/@name?mail=a@b#c@d"]).notes == ()


@pytest.mark.parametrize("given_text", ["https://user:se/cret@a.example:x/", "gopher://user:secret@a.example/"])
def test_a_password_in_a_faulty_seed_is_not_repeated(given_text: str) -> None:
    # scenario 49
    message = fault_of(given_text)
    assert "cret" not in message
    assert "a.example" in message


def test_duplicates_are_one_seed_and_the_last_limits_count(list_file: ListFile) -> None:
    content = "https://a.example/ max_pages=5 depth=2\nHTTPS://A.example:443/#x max_pages=9\n"
    path = list_file(content)
    found = read([], [path])
    assert found.sites == (SeedSite("https://a.example/", max_pages=9, max_depth=2),)
    assert found.notes == (f"{path}, line 2: https://a.example/ was given before; the limits that it sets now count",)


@pytest.mark.parametrize(
    ("given_text", "fault"),
    [
        ("ftp://a.example/", "is neither http nor https"),
        ("mailto:me@a.example", "is neither http nor https"),
        ("javascript:alert(1)", "is neither http nor https"),
        ("file:///etc/passwd", "is neither http nor https"),
        ("http://", "is not a valid URL"),
        ("https://a b.example/", "is not a valid URL"),
        ("https://a.example:65536/", "is not a valid URL"),
        ("https://a.example:25/", "has a port that is not for web pages"),
        (f"https://{'a' * 64}.example/", "has a host name that is too long"),
        ("https://a.example/" + "a" * 70_000, "is longer than any URL may be"),
        ("", "is not a valid URL"),
    ],
)
def test_what_is_no_seed_is_refused_with_the_reason(given_text: str, fault: str) -> None:
    # scenarios 48, 50
    message = fault_of(given_text)
    assert message.endswith(fault)
    assert len(message) < 300


def test_faulty_lines_are_all_named_with_file_and_number(list_file: ListFile) -> None:
    path = list_file("https://a.example/\nftp://b.example/\n\nhttps://c.example/ speed=3\nhttp://\n")
    message = fault_of(files=[path])
    assert message.startswith(f"{path}: line 2: 'ftp://b.example/' is neither http nor https; line 4: 'speed=3' is ")
    assert message.endswith("; line 5: 'http://' is not a valid URL")


def test_no_more_than_ten_faults_are_shown(list_file: ListFile) -> None:
    message = fault_of(files=[list_file("ftp://a.example/\n" * 25)])
    assert re.findall(r"line (\d+):", message) == [str(number) for number in range(1, 11)]
    assert message.endswith("; and 15 more")


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("pages=3", "'pages=3' is none of max_pages=N, delay=N, depth=N"),
        ("fast", "'fast' is none of"),
        ("max_pages=", "max_pages= is not a number"),
        ("max_pages=-1", "max_pages=-1 is not a number"),
        ("max_pages=1.5", "max_pages=1.5 is not a number"),
        ("max_pages=many", "max_pages=many is not a number"),
        ("depth=1001", "depth=1001 is not a number"),
        ("delay=-1", "delay=-1 is not a number"),
        ("delay=nan", "delay=nan is not a number"),
        ("delay=inf", "delay=inf is not a number"),
        ("delay=null", "delay=null is not a number"),
    ],
)
def test_faulty_limits_are_named(list_file: ListFile, option: str, named: str) -> None:
    assert f"line 1: {named}" in fault_of(files=[list_file(f"https://a.example/ {option}\n")])


def test_faulty_site_tables_are_counted() -> None:
    tables = [SiteSettings(url="https://a.example/"), SiteSettings(url="ftp://b.example/")]
    assert fault_of(tables=tables) == "[[site]] 2: 'ftp://b.example/' is neither http nor https"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "none.txt")
    assert fault_of(files=[path]) == f"cannot read the site list {path}: No such file or directory"


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    assert fault_of(files=[str(tmp_path)]) == f"{tmp_path} is a folder, not a list of sites"


def test_a_path_that_no_system_takes_is_refused() -> None:
    assert fault_of(files=["a\0b"]).startswith("cannot read the site list ")


@pytest.mark.parametrize("content", ["", "# nothing yet\n\n"])
def test_an_empty_list_is_refused(list_file: ListFile, content: str) -> None:
    path = list_file(content)
    assert fault_of("https://a.example/", files=[path]) == f"{path} holds no URL"
    assert fault_of(files=["-"]) == "standard input holds no URL"


def test_nothing_at_all_is_refused() -> None:
    assert "--sites" in fault_of()


def test_a_list_given_as_a_seed_is_recognised(list_file: ListFile) -> None:
    path = list_file("https://a.example/\n")
    assert fault_of(path) == f"{path} is a file, not a URL: name a list of sites with --sites"


@given(st.binary(max_size=500))
def test_no_bytes_are_an_error_of_ours(content: bytes) -> None:
    try:
        found = read(files=["-"], stdin=content)
    except UsageError:
        return
    assert all(site.seed.startswith(("https://", "http://")) for site in found.sites)


def test_the_example_list_can_be_used() -> None:
    path = Path(__file__).parents[3] / "config" / "sites.txt"
    found = read(files=[str(path)])
    assert SeedSite("https://example.org/docs/", max_pages=100, delay_s=2.0, max_depth=3) in found.sites


def test_a_prefix_that_may_not_be_the_one_that_was_meant_is_told() -> None:
    named = ["https://a.example/en", "https://a.example/de/", "https://a.example/page.html"]
    (note,) = seeds.read(named, (), (), "prefix", io.BytesIO()).notes
    assert note == "https://a.example/en has no slash at its end: all below https://a.example/ belongs to the crawl"
    assert seeds.read(named, (), (), "host", io.BytesIO()).notes == ()
