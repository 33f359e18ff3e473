"""The values that travel along the line: Request → Page → Document → Record, and what parsing adds.

All are frozen and pickle- and msgpack-able, because they cross process borders thousands of times a minute.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from msgspec import Struct

Headers = tuple[tuple[str, str], ...]  # Header fields of a request or an answer: names and values, in order.
Kind = Literal["page", "robots", "sitemap"]  # a file is a page until the head of its answer says otherwise
Outcome = Literal["ok", "http_error", "redirect", "failed", "skipped", "quarantined", "pending"]
# Their places are numbers in the state of runs: none may move, and a new one comes last.
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# What told the encoding of a page: Content-Type, byte-order mark, meta element or XML declaration, its bytes, nothing.
CharsetSource = Literal["header", "bom", "meta", "detected", "default"]
CANNOT_SAVE = "cannot_save"  # `Parsed.error` of a page that could not be written to the disk
MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, 2.5: at least as much of a robots.txt is read
MAX_SITEMAP_BYTES = 50 * 1024 * 1024  # sitemaps.org: the limit of one sitemap, decoded
EXAMPLES = 10  # kept of the URLs outside of the scope, for each host and reason


class Link(Struct, frozen=True, array_like=True):
    """A URL that a page leads to, ready to be asked for.

    Args:
        url: Canonical URL.
        host: Politeness key of the URL (`urls.host_key`).
        fingerprint: Identity of the URL (`urls.fingerprint`).
    """

    url: str
    host: str
    fingerprint: int


class Request(Struct, frozen=True, array_like=True):
    """What to get.

    Args:
        url: Canonical URL; it goes on the wire byte for byte.
        host: Politeness key (`urls.host_key`).
        fingerprint: Identity (`urls.fingerprint`), signed 64 bits.
        kind: page, robots or sitemap.
        depth: Links between the seed and this URL; redirects add none.
        via: The URL on which this one was first found, None for seeds.
        chain: The URLs that redirected here, oldest first.
        attempts: Tries that were made before this one.
        is_seed: Whether the user named this URL, or named what redirected to it.
        seq: Position in the store's order of discovery; 0 for what has no row there.
        extra: What the store keeps of the URL for whoever put it there; the crawl itself does not read it.
        last_error: Why the try before this one has to be made again: a word, or the status that was answered.
    """

    url: str
    host: str
    fingerprint: int
    kind: Kind = "page"
    depth: int = 0
    via: str | None = None
    chain: tuple[str, ...] = ()
    attempts: int = 0
    is_seed: bool = False
    seq: int = 0
    extra: bytes | None = None
    last_error: str | None = None


class Saved(Struct, frozen=True, array_like=True):
    """A body that was written into a file of its own.

    Args:
        path: Where it is, within the run's folder.
        bytes: Its length.
        digest: `sha256:` and the hexadecimal digest of what it holds.
        wire_bytes: The length of what was received for it, before its content-coding was undone.
        error: Why its content-coding was not undone, None if all is well.
    """

    path: str
    bytes: int
    digest: str
    wire_bytes: int
    error: str | None = None


class Response(Struct, frozen=True, array_like=True):
    """What came back for a request.

    Args:
        request: The request that was answered.
        status: HTTP status code.
        headers: Fields in the order received, names and values as received (latin-1 text).
        body: Bytes after transfer-coding, before content-coding; empty where it was not wanted or went into a file.
        fetched_at: Wall clock when the answer was complete, Unix seconds.
        elapsed_s: From the start of the fetch to the end of the body, seconds.
        strategy: Name of the fetcher.
        complete: False when the connection ended before the announced length or the last chunk.
        truncated: None, or why we stopped reading: `length`, `time`, `type` (body not wanted).
        first_byte_s: From the start of the fetch to the end of the answer's head, seconds.
        saved: The file that the body went into, None where it did not.
        connect_s: Until there was a connection, seconds; 0 where one was used again.
        tls_s: What TLS took after that, likewise.
        wants_novelty: Whether whoever parses it is to tell what it says, as `Parsed.novelty`.
        sends: How often the request was sent: more than once where kept connections turned out to be dead.
    """

    request: Request
    status: int
    headers: Headers
    body: bytes
    fetched_at: float
    elapsed_s: float
    strategy: str
    complete: bool = True
    truncated: str | None = None
    first_byte_s: float = 0.0
    saved: Saved | None = None
    connect_s: float = 0.0
    tls_s: float = 0.0
    wants_novelty: bool = False
    sends: int = 1

    def header(self, name: str) -> str | None:
        """The first value of a header field, or None; `name` in lower case."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def header_all(self, name: str) -> list[str]:
        """All values of a header field in order; `name` in lower case."""
        return [value for key, value in self.headers if key.lower() == name]


class ExtractRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value that is taken from every page, as an `[extract.NAME]` table of the settings says.

    Args:
        css, xpath: Which elements; one of the two is given.
        attribute: Which of their attributes; empty for their text, for a URL its usual place.
        list: Whether all values are taken, not just the first.
        regex: What of the text: its first group, or all that it finds if it has none.
        type: What the text is read as.
        required: Whether a page without it is noted in `extract_error`.
        url_pattern: Regular expression that is found in the URLs of the pages it is for; empty for all.
    """

    css: str = ""
    xpath: str = ""
    attribute: str = ""
    list: bool = False
    regex: str = ""
    type: Literal["text", "number", "date", "url", "html"] = "text"
    required: bool = False
    url_pattern: str = ""


class Metadata(Struct, frozen=True):
    """What a page says of itself for machines; None where it says nothing, or it is not wanted.

    Args:
        og: Property of Open Graph or a Twitter card → its value, or the list of its values.
        jsonld: The value of each JSON-LD script, in order.
        alternates: Language, or else type or media query, of another version of the page → its URL.
        feeds: URLs of RSS, Atom and JSON feeds.
        author: Who wrote it; several names have commas between them.
        published, modified: Dates, ISO 8601 where they can be read, else as given.
        images: `(url, alternative text)` of each image.
        link_details: `(url, text, rel, is_internal)` of each link.
    """

    og: dict[str, str | list[str]] | None = None
    jsonld: list[Any] | None = None
    alternates: dict[str, str] | None = None
    feeds: list[str] | None = None
    author: str | None = None
    published: str | None = None
    modified: str | None = None
    images: list[tuple[str, str | None]] | None = None
    link_details: list[tuple[str, str, str | None, bool]] | None = None


class Article(Struct, frozen=True):
    """The main content of a page.

    Args:
        text: Text or Markdown, as it was asked for.
        title, author, date, language: As far as the page says; the date in ISO 8601.
    """

    text: str
    title: str | None = None
    author: str | None = None
    date: str | None = None
    language: str | None = None


class Extraction(Struct, frozen=True):
    """What was taken from a page because the user asked for it.

    Args:
        simhash: SimHash of the text, 16 hexadecimal digits.
        article: Its main content.
        rules: Name of each `[extract.NAME]` table → what it gave.
        extracted: What the extractor in Python returned, of values that JSON has.
        extract_error: What went wrong with any of these, in one sentence each.
    """

    simhash: str | None = None
    article: Article | None = None
    rules: dict[str, Any] | None = None
    extracted: dict[str, Any] | None = None
    extract_error: str | None = None


class Document(Struct, frozen=True):
    """What a page says, as a parser read it.

    Args:
        title, description, canonical, lang, h1: Text with white space folded, or None.
        headings: `(level, text)` of h1 to h6 in order.
        text: What a reader sees, block elements on lines of their own.
        hrefs: Every distinct http(s) target of `a` and `area`, absolute and canonical, in order.
        links_total: How many `a` and `area` elements have a target of any kind.
        nofollow_hrefs: Those of `hrefs` that only ever stand in links with rel=nofollow.
        nofollow, noindex: What meta robots says.
        refresh: Target of a meta refresh, absolute and canonical, or None.
        embedded: What it shows and is asked for as a file: canonical URLs of images, sounds and videos.
        metadata: What it says of itself.
        extraction: What was taken from it because the user asked for it.
    """

    title: str | None = None
    description: str | None = None
    canonical: str | None = None
    lang: str | None = None
    h1: str | None = None
    headings: list[tuple[int, str]] = []
    text: str = ""
    hrefs: list[str] = []
    links_total: int = 0
    nofollow_hrefs: frozenset[str] = frozenset()
    nofollow: bool = False
    noindex: bool = False
    refresh: str | None = None
    embedded: list[str] = []
    metadata: Metadata = Metadata()
    extraction: Extraction = Extraction()


class Record(Struct, frozen=True, kw_only=True):
    """What is exported for one URL: one JSON object, keys always in this order, unknown is null."""

    url: str
    outcome: Outcome
    status: int | None = None
    error: str | None = None
    redirect_to: str | None = None
    depth: int
    via: str | None = None
    attempts: int = 1
    fetched_at: str | None = None
    elapsed_ms: int | None = None
    strategy: str | None = None
    content_type: str | None = None
    charset: str | None = None
    charset_source: CharsetSource | None = None
    etag: str | None = None
    last_modified: str | None = None
    wire_bytes: int | None = None
    bytes: int | None = None
    digest: str | None = None
    complete: bool | None = None
    truncated: str | None = None
    title: str | None = None
    description: str | None = None
    canonical: str | None = None
    lang: str | None = None
    h1: str | None = None
    headings: list[tuple[int, str]] | None = None
    text: str | None = None
    text_length: int | None = None
    links: list[str] | None = None
    links_total: int | None = None
    nofollow: bool | None = None
    noindex: bool | None = None
    og: dict[str, str | list[str]] | None = None
    jsonld: list[Any] | None = None
    alternates: dict[str, str] | None = None
    feeds: list[str] | None = None
    author: str | None = None
    published: str | None = None
    modified: str | None = None
    images: list[tuple[str, str | None]] | None = None
    link_details: list[tuple[str, str, str | None, bool]] | None = None
    simhash: str | None = None
    article: Article | None = None
    rules: dict[str, Any] | None = None
    extracted: dict[str, Any] | None = None
    extract_error: str | None = None
    file: str | None = None


class LeftOut(Struct, frozen=True, array_like=True):
    """Links of one page that lead out of the crawl for one reason.

    Args:
        host: Politeness key of their URLs.
        reason: `scope`, `exclude`, `include`, `too_long`, `segments` or `repeats`.
        count: How many distinct links there are.
        examples: Some of their URLs; none where enough were given before.
    """

    host: str
    reason: str
    count: int
    examples: tuple[str, ...] = ()


class Merged(Struct, frozen=True, array_like=True):
    """Links of one page that a rule has rewritten.

    Args:
        rule: Its name, see `rewrite.UrlRules.rewrite`.
        count: How many distinct links there are.
        examples: Some of them, before and after; none where enough were given before.
    """

    rule: str
    count: int
    examples: tuple[tuple[str, str], ...] = ()


class Parsed(Struct, frozen=True, array_like=True):
    """What a parse worker gives back for one page.

    Args:
        line: The record as one line of JSON with its newline; empty for sitemaps.
        outcome: The record's outcome.
        error: The record's error, or None.
        complete: False when the body was short or its content-coding broke off.
        links: What to follow: canonical, distinct, in scope, allowed by nofollow, and not handed out before by this
            worker.
        followed: How many links the page has that are followed, those handed out before included.
        outside: The links that were not taken.
        merged: The links that were rewritten.
        novelty: What the page says, as `patterns.novelty_of` has it; 0 where that is not wanted.
        sitemaps: For sitemap indexes, the sitemaps that they name.
        cpu_s: CPU time of this page in the worker, seconds.
        laps_s: What decoding, parsing, extracting and serialising took there by the clock, seconds.
        extract_error: The record's extract_error, or None.
    """

    line: bytes
    outcome: Outcome
    error: str | None = None
    complete: bool = True
    links: tuple[Link, ...] = ()
    followed: int = 0
    outside: tuple[LeftOut, ...] = ()
    merged: tuple[Merged, ...] = ()
    novelty: int = 0
    sitemaps: tuple[str, ...] = ()
    cpu_s: float = 0.0
    laps_s: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    extract_error: str | None = None


class Pending(Struct, frozen=True):
    """A host that has pending URLs.

    Args:
        key: Politeness key.
        url: The first of them.
        next_at: Wall clock before which it may not be visited, Unix seconds; None if that was never noted.
        count: How many it has.
        gap_s: Seconds that its robots.txt asks for between two requests; None if that was never noted.
    """

    key: str
    url: str
    next_at: float | None
    count: int = 1
    gap_s: float | None = None
