"""All settings: frozen, typed groups with their range, their help text and their place on the command line beside them.

Defaults < TOML file < command line. An unknown key or a value out of range is an error that names it.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from crawler.models import ExtractRule
from crawler.version import VERSION

KIB = 1024
MIB = 1024 * KIB
MIN_TOKEN_CHARS = 16
GROUPS = ("crawl", "fetch", "politeness", "parse", "output", "dashboard")


def _option(flag: str | None, help_text: str, *, bare: str | None = None, **limits: Any) -> Meta:
    """A setting's help text, its range, its flag (None: only in a file), and what the flag means without a value."""
    return Meta(description=help_text, extra={"flag": flag, "bare": bare}, **limits)


class CrawlSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What belongs to the crawl and when it ends."""

    scope: Annotated[
        Literal["host", "domain", "prefix", "any"],
        _option("--scope", "scope of each seed: its host, its registrable domain, its folder (prefix), or any URL"),
    ] = "host"
    include: Annotated[
        tuple[str, ...],
        _option(
            "--include",
            "follow only links that match this regular expression somewhere; seeds and where they redirect to need not "
            "(repeatable)",
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        _option(
            "--exclude",
            "never follow links and redirects that match this regular expression, those of seeds too; "
            "wins over include (repeatable)",
        ),
    ] = ()
    max_pages: Annotated[int, _option("--max-pages", "stop after this many pages in all; 0 = no limit", ge=0)] = 0
    max_pages_per_site: Annotated[
        int,
        _option(
            "--max-pages-per-site",
            "fetch at most this many pages of each site; a site's own max_pages wins; 0 = no limit",
            ge=0,
        ),
    ] = 0
    max_depth: Annotated[
        int,
        _option(
            "--max-depth",
            "follow links up to this many links away from a seed; a site's own depth wins; 0 = only the seeds",
            ge=0,
            le=1000,
        ),
    ] = 20
    max_time_s: Annotated[float, _option("--max-time", "stop after this many seconds; 0 = no limit", ge=0)] = 0.0
    robots: Annotated[bool, _option("--robots", "obey robots.txt")] = True
    sitemaps: Annotated[bool, _option("--sitemaps", "read the sitemaps that robots.txt names")] = True
    nofollow: Annotated[bool, _option("--nofollow", "do not follow links that a page marks as nofollow")] = True
    patience_s: Annotated[
        float,
        _option(
            "--patience",
            "seconds to wait, at the end, for hosts that have stopped to answer; those that never did get 20 at most",
            ge=0,
        ),
    ] = 120.0
    max_url_chars: Annotated[int, _option(None, "longest URL that is followed, in characters", ge=64, le=8192)] = 2083
    max_links_per_page: Annotated[int, _option(None, "links of one page that are followed at most", ge=1)] = 5000
    max_path_segments: Annotated[
        int, _option(None, "longest path that is followed, in segments; 0 = no limit", ge=0, le=1000)
    ] = 20
    max_path_repeats: Annotated[
        int,
        _option(
            None,
            "times that a part of a path may repeat itself, as in /a/b/a/b/; 0 = no limit",
            ge=0,
            le=1000,
        ),
    ] = 2
    trap_guard: Annotated[
        bool,
        _option(
            "--trap-guard", "close crawler traps: URL patterns that go on without new content; the summary names them"
        ),
    ] = True
    trap_pages: Annotated[
        int,
        _option(
            "--trap-pages",
            "pages without new content in a row that close a URL pattern; ten times as many close a folder",
            ge=50,
        ),
    ] = 500
    max_pages_per_domain: Annotated[
        int,
        _option(
            "--max-pages-per-domain",
            "pages of each registrable domain, or IP address, under --scope any; 0 = no limit",
            ge=0,
        ),
    ] = 10_000
    strip_session_ids: Annotated[
        bool,
        _option(
            "--strip-session-ids", "remove session ids from links (;jsessionid=, PHPSESSID, sid= with 32 hex digits)"
        ),
    ] = False
    strip_tracking: Annotated[
        bool, _option("--strip-tracking", "remove tracking parameters from links (utm_*, gclid, fbclid)")
    ] = False
    sort_query: Annotated[bool, _option("--sort-query", "sort the query parameters of links")] = False
    drop_params: Annotated[
        tuple[str, ...], _option("--drop-param", "remove this query parameter from links (repeatable)")
    ] = ()


class FetchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How pages are fetched, and the limits of one fetch."""

    strategy: Annotated[
        str,
        _option(
            "--strategy",
            "fetch strategy: an event loop (aiohttp), threads (requests), one request at a time, or libcurl",
        ),
    ] = "asyncio"
    concurrency: Annotated[
        int,
        _option(
            "--concurrency", "requests in flight in all; 0 = the strategy's default (64, 16, 1, 64)", ge=0, le=4096
        ),
    ] = 0
    user_agent: Annotated[
        str,
        _option("--user-agent", "user agent: how the crawler names itself to servers and in robots.txt", min_length=1),
    ] = f"crawler/{VERSION}"
    headers: Annotated[tuple[str, ...], _option("--header", "an extra request header, 'Name: value' (repeatable)")] = ()
    cookies: Annotated[
        bool, _option("--cookies", "keep cookies in memory and send each back to the origin that set it")
    ] = False
    proxy: Annotated[str, _option("--proxy", "an http proxy for every request")] = ""
    allow_private: Annotated[
        tuple[str, ...], _option("--allow-private", "a private network that may be crawled, 10.0.0.0/8 (repeatable)")
    ] = ()
    named_origins: Annotated[
        tuple[str, ...],
        _option(None, "origins that the user named, where they are not the seeds; set by --retry-failed"),
    ] = ()
    resolve: Annotated[
        tuple[str, ...],
        _option("--resolve", "NAME:ADDRESS, used instead of DNS; *.NAME for all names below it (repeatable)"),
    ] = ()
    replay: Annotated[
        str, _option("--replay", "source of the replay strategy: a folder of files, a WARC, or a run with a WARC")
    ] = ""
    timeout_s: Annotated[float, _option("--timeout", "seconds for one fetch from start to end", gt=0)] = 180.0
    connect_timeout_s: Annotated[float, _option(None, "seconds to connect, TLS included", gt=0)] = 10.0
    first_byte_timeout_s: Annotated[float, _option(None, "seconds from the request to the answer's head", gt=0)] = 30.0
    read_timeout_s: Annotated[float, _option(None, "seconds between two pieces of a body", gt=0)] = 20.0
    min_rate_bytes_s: Annotated[
        int, _option(None, "least rate of a body, bytes a second over 30 s; slower ones are given up", ge=0)
    ] = 100
    max_body_bytes: Annotated[
        int, _option("--max-body", "bytes of a page that are kept, as received and as decoded", ge=KIB)
    ] = 10 * MIB
    max_header_bytes: Annotated[int, _option(None, "bytes of all header fields of an answer at most", ge=KIB)] = (
        256 * KIB
    )
    max_header_fields: Annotated[int, _option(None, "header fields of an answer at most", ge=1)] = 1000
    max_redirects: Annotated[int, _option(None, "redirects in one chain at most", ge=0, le=50)] = 10
    dns_timeout_s: Annotated[float, _option(None, "seconds for one DNS query; it is tried twice", gt=0)] = 5.0


class PolitenessSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How servers are spared."""

    per_host: Annotated[int, _option("--per-host", "requests in flight for one host at most", ge=1, le=1024)] = 1
    per_ip: Annotated[
        int, _option(None, "requests in flight for one IP address at most; loopback has no limit", ge=1)
    ] = 4
    delay_s: Annotated[
        float,
        _option(
            "--delay",
            "crawl delay: seconds between two requests to one host; a site's own delay wins; "
            "robots.txt can make it longer",
            ge=0,
        ),
    ] = 1.0
    adaptive_factor: Annotated[
        float, _option(None, "adaptive delay: at least this many times as long as the host's last answer took", ge=0)
    ] = 2.0
    max_adaptive_delay_s: Annotated[float, _option(None, "longest adaptive delay, seconds", ge=0)] = 30.0
    max_crawl_delay_s: Annotated[
        float,
        _option(
            "--max-crawl-delay",
            "longest crawl delay that is obeyed, seconds; hosts that ask for more are skipped",
            ge=0,
        ),
    ] = 60.0
    max_retry_after_s: Annotated[
        float,
        _option(
            "--max-retry-after",
            "longest Retry-After that is waited for, seconds; what a host asks for beyond that leaves its URLs pending",
            ge=0,
        ),
    ] = 3600.0
    retries: Annotated[int, _option("--retries", "retries after a failed first try", ge=0, le=20)] = 2
    backoff_s: Annotated[float, _option(None, "seconds before the first retry; they double each time", gt=0)] = 1.0
    max_backoff_s: Annotated[float, _option(None, "longest wait between two tries, seconds", gt=0)] = 600.0
    breaker_failures: Annotated[
        int, _option(None, "network failures in a row after which a host is left alone for a while", ge=1)
    ] = 5


class ParseSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How pages are parsed, and the limits of one page."""

    mode: Annotated[
        Literal["processes", "threads", "inline"],
        _option("--parse", "where pages are parsed: worker processes, threads (one GIL), or the event loop itself"),
    ] = "processes"
    workers: Annotated[int, _option("--parse-workers", "parse workers; 0 = one for each core", ge=0, le=256)] = 0
    parser: Annotated[Literal["lexbor", "bs4"], _option("--parser", "lexbor (fast) or bs4 (BeautifulSoup on lxml)")] = (
        "lexbor"
    )
    metadata: Annotated[bool, _option("--metadata", "extract metadata: Open Graph, JSON-LD, feeds, author, dates")] = (
        True
    )
    images: Annotated[bool, _option("--images", "extract images with their alternative text")] = False
    link_details: Annotated[
        bool, _option("--link-details", "extract text and rel of each link, and whether it stays on the host")
    ] = False
    simhash: Annotated[
        bool,
        _option(
            "--simhash", "compute a SimHash of the text, by which `crawler show --duplicates` finds near duplicates"
        ),
    ] = False
    article: Annotated[
        bool, _option("--article", "extract the main content without navigation and footers (needs trafilatura)")
    ] = False
    article_format: Annotated[
        Literal["text", "markdown"], _option("--article-format", "format of the main content")
    ] = "text"
    extract: Annotated[
        str, _option("--extract", "a function that extracts a dictionary from each page, as module:function")
    ] = ""
    cpu_limit_s: Annotated[float, _option(None, "CPU seconds that parsing one page may take", gt=0)] = 10.0
    wall_limit_s: Annotated[float, _option(None, "seconds by the clock that parsing one page may take", gt=0)] = 30.0
    memory_limit_bytes: Annotated[int, _option(None, "address space of one parse worker, bytes", ge=256 * MIB)] = (
        1024 * MIB
    )
    recycle_growth_bytes: Annotated[
        int, _option(None, "a parse worker that grew by this many bytes is replaced", ge=MIB)
    ] = 256 * MIB
    recycle_pages: Annotated[int, _option(None, "a parse worker that parsed this many pages is replaced", ge=1)] = (
        50_000
    )
    hand_off_bytes: Annotated[
        int,
        _option(
            None,
            "backpressure: bytes of bodies between download and commit above which nothing new is requested",
            ge=MIB,
        ),
    ] = 64 * MIB


class OutputSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the run and its exports go."""

    run: Annotated[str, _option("--run", "the run's folder; a new one under data/ if not given")] = ""
    parent: Annotated[str, _option(None, "the run that this one was made of; set by --retry-failed and by reparse")] = (
        ""
    )
    outputs: Annotated[
        tuple[str, ...],
        _option("--output", "a file to export to, format by suffix, or - to stream records (repeatable)"),
    ] = ()
    warc: Annotated[
        bool, _option("--warc", "keep every answer as it was received in the run's pages.warc.gz (WARC 1.1)")
    ] = False
    files: Annotated[
        tuple[str, ...],
        _option(
            "--files",
            "save matching bodies in the run's files/: a media type (application/pdf, image/*), pdf, images, archives, "
            "media, documents, all, or a regular expression for the URL (repeatable)",
        ),
    ] = ()
    save_html: Annotated[bool, _option("--save-html", "save the HTML pages in the run's files/, too")] = False
    max_file_bytes: Annotated[
        int, _option("--max-file", "bytes of one saved file at most; the rest is cut off", ge=KIB)
    ] = 2048 * MIB
    min_free_bytes: Annotated[
        int, _option("--min-free", "bytes that saving files leaves free on the disk; with less the crawl stops", ge=0)
    ] = 1024 * MIB
    spreadsheet_safe: Annotated[
        bool, _option("--spreadsheet-safe", "in CSV, put an apostrophe before text that would be taken for a formula")
    ] = False
    report: Annotated[
        bool, _option("--report", "make the run's report.html at the end: one page with figures and charts")
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _option("--log-level", "least severity of a line in the run's crawl.log"),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"],
        _option("--log-format", "format of crawl.log: a sentence a line, or a JSON object a line"),
    ] = "text"


class DashboardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page that shows the crawl while it runs."""

    port: Annotated[
        int,
        _option(
            "--dashboard",
            "serve a live page of the crawl on this port of this machine; 0, or no number: a free one; -1 = none",
            bare="0",
            ge=-1,
            le=65535,
        ),
    ] = -1
    host: Annotated[
        str,
        _option("--dashboard-host", "the address that the dashboard is served on; others than loopback need a token"),
    ] = "127.0.0.1"
    token: Annotated[
        str,
        _option(
            "--dashboard-token",
            f"a secret of {MIN_TOKEN_CHARS} or more characters that seeing the dashboard and stopping the crawl need",
        ),
    ] = ""


class SiteSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One seed with limits of its own, which win over the crawl's; None takes those."""

    url: str
    max_pages: Annotated[int, Meta(ge=0)] | None = None
    delay_s: Annotated[float, Meta(ge=0)] | None = None
    max_depth: Annotated[int, Meta(ge=0, le=1000)] | None = None


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one crawl; every group has a table of its name in the TOML file."""

    crawl: CrawlSettings = CrawlSettings()
    fetch: FetchSettings = FetchSettings()
    politeness: PolitenessSettings = PolitenessSettings()
    parse: ParseSettings = ParseSettings()
    output: OutputSettings = OutputSettings()
    dashboard: DashboardSettings = DashboardSettings()
    site: tuple[SiteSettings, ...] = ()
    extract: dict[str, ExtractRule] = {}

    @property
    def parse_workers(self) -> int:
        """Parse workers, as many as there are cores where no number is set; inline there is one."""
        return 1 if self.parse.mode == "inline" else self.parse.workers or cores()


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # macOS has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_loopback(host: str) -> bool:
    """Whether a name or an address, without brackets, stands for this machine itself."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
