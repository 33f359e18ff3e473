"""The keyword arguments of the library, so that editors complete them and type checkers find a wrong one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

# Names that people expect where the settings' own carry a unit or another word.
ALIASES = {
    "delay": "delay_s",
    "timeout": "timeout_s",
    "max_time": "max_time_s",
    "patience": "patience_s",
    "parse": "mode",
    "parse_workers": "workers",
    "max_body": "max_body_bytes",
    "max_crawl_delay": "max_crawl_delay_s",
}


class Options(TypedDict, total=False):
    """Every setting of `crawler.settings.groups` that a library call may have, by its name there or an alias.

    A test holds names and types to the settings. What only commands set is left out, and so is the dashboard, which
    belongs to the command's own process.
    """

    # crawl
    scope: Literal["host", "domain", "prefix", "any"]
    include: Sequence[str]
    exclude: Sequence[str]
    max_pages: int
    max_pages_per_site: int
    max_depth: int
    max_time_s: float
    max_time: float
    robots: bool
    sitemaps: bool
    nofollow: bool
    patience_s: float
    patience: float
    max_url_chars: int
    max_links_per_page: int
    max_path_segments: int
    max_path_repeats: int
    trap_guard: bool
    trap_pages: int
    max_pages_per_domain: int
    strip_session_ids: bool
    strip_tracking: bool
    sort_query: bool
    drop_params: Sequence[str]
    # fetch
    strategy: str
    concurrency: int
    user_agent: str
    headers: Sequence[str]
    cookies: bool
    proxy: str
    allow_private: Sequence[str]
    resolve: Sequence[str]
    replay: str
    timeout_s: float
    timeout: float
    connect_timeout_s: float
    first_byte_timeout_s: float
    read_timeout_s: float
    min_rate_bytes_s: int
    max_body_bytes: int
    max_body: int
    max_header_bytes: int
    max_header_fields: int
    max_redirects: int
    dns_timeout_s: float
    # politeness
    per_host: int
    per_ip: int
    delay_s: float
    delay: float
    adaptive_factor: float
    max_adaptive_delay_s: float
    max_crawl_delay_s: float
    max_crawl_delay: float
    max_retry_after_s: float
    retries: int
    backoff_s: float
    max_backoff_s: float
    breaker_failures: int
    # parse
    mode: Literal["processes", "threads", "inline"]
    parse: Literal["processes", "threads", "inline"]
    workers: int
    parse_workers: int
    parser: Literal["lexbor", "bs4"]
    metadata: bool
    images: bool
    link_details: bool
    simhash: bool
    article: bool
    article_format: Literal["text", "markdown"]
    extract: str | Callable[[Any], Any]
    cpu_limit_s: float
    wall_limit_s: float
    memory_limit_bytes: int
    recycle_growth_bytes: int
    recycle_pages: int
    hand_off_bytes: int
    # output
    outputs: Sequence[str]
    warc: bool
    files: Sequence[str]
    save_html: bool
    max_file_bytes: int
    min_free_bytes: int
    spreadsheet_safe: bool
    report: bool
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["text", "json"]
    # The library alone takes these.
    rules: Mapping[str, Mapping[str, Any]]
