"""The table of what is fuzzed: each target's check, the modules that it is about, and what its inputs are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tests.fuzz import addresses, exports, pages, site_files, tokens, wire

KIB = 1024


class Target(NamedTuple):
    """One kind of input.

    Args:
        check: Raises if anything is not as it has to be; any exception is a finding.
        modules: Whose lines the report counts.
        literals: Test modules whose strings are inputs to begin with.
        tokens: What mutations put in.
        max_bytes: Longest input. Lexbor is quadratic in the depth of a page, which a worker's CPU limit takes care
            of; up to here no input may take longer than the deadline.
        dress: Makes an input of a test's string.
        share: Of the time, beside those of the other targets.
    """

    check: Callable[[bytes], None]
    modules: tuple[str, ...]
    literals: tuple[str, ...]
    tokens: tuple[bytes, ...]
    max_bytes: int = 64 * KIB
    dress: Callable[[bytes], bytes] = bytes
    share: int = 1


def _page(text: bytes) -> bytes:
    return text if b"\n\n" in text[:2000] else b"content-type: text/html\n\n" + text


def _parser(name: str, module: str) -> Target:
    stage = ("stage", "links", "facts", "text", "metadata", "dates", "charset", "detect", "encodings", "decode", module)
    return Target(
        partial(pages.check, name),
        (
            *(f"crawler.parse.{each}" for each in stage),
            "crawler.records",
        ),
        ("unit.parse.test_parsers", "unit.parse.test_stage", "unit.parse.test_decode"),
        (*tokens.HTML, *tokens.HTML, *tokens.METADATA, *tokens.HEADS, *tokens.TYPES, *tokens.URL),
        256 * KIB,
        _page,
        share=4,
    )


TARGETS: dict[str, Target] = {
    "lexbor": _parser("lexbor", "lexbor"),
    "bs4": _parser("bs4", "soup"),
    "export": Target(
        exports.check,
        ("crawler.records", "crawler.export.csv_text", "crawler.export.jsonl", "crawler.export.columns"),
        ("unit.test_records", "unit.export.test_formats"),
        tokens.CELLS + tokens.BYTES,
    ),
    "url": Target(
        addresses.check_url,
        (
            "crawler.urls",
            "crawler.scope.scope",
            "crawler.scope.rewrite",
            "crawler.scope.patterns",
            "crawler.parse.hrefs",
        ),
        ("unit.test_urls", "unit.scope.test_scope", "unit.scope.test_rewrite", "unit.scope.test_patterns"),
        tokens.URL,
        72 * KIB,
        share=2,
    ),
    "robots": Target(
        site_files.check_robots,
        ("crawler.frontier.robots",),
        ("unit.frontier.test_robots",),
        tokens.ROBOTS + tokens.URL,
        256 * KIB,
        share=2,
    ),
    "sitemap": Target(
        site_files.check_sitemap,
        ("crawler.parse.sitemap", "crawler.parse.stage"),
        ("unit.parse.test_sitemap",),
        tokens.SITEMAP + tokens.BYTES,
        256 * KIB,
        share=2,
    ),
    "decode": Target(
        wire.check_decode,
        ("crawler.parse.decode", "crawler.parse.charset", "crawler.parse.encodings"),
        ("unit.parse.test_decode",),
        tokens.CODINGS + tokens.TYPES + tokens.BYTES,
        256 * KIB,
    ),
    "answer": Target(
        wire.check_answer,
        ("crawler.fetch.answer",),
        ("unit.fetch.test_answer", "contract.test_framing"),
        tokens.ANSWER + tokens.BYTES,
    ),
    "header": Target(
        wire.check_header,
        ("crawler.engine.answers", "crawler.parse.charset", "crawler.parse.dates", "crawler.parse.extract.simhash"),
        ("unit.frontier.test_politeness", "unit.engine.test_answers", "unit.parse.test_stage"),
        tokens.HEADER + tokens.TYPES + tokens.URL,
        8 * KIB,
    ),
    "cookies": Target(
        wire.check_cookies,
        ("crawler.fetch.dial.cookies",),
        ("unit.fetch.test_cookies",),
        tokens.COOKIES + tokens.BYTES,
        16 * KIB,
    ),
    "seeds": Target(
        addresses.check_seeds,
        ("crawler.scope.seeds", "crawler.scope.scope"),
        ("unit.scope.test_seeds", "unit.scope.test_scope"),
        tokens.SEEDS + tokens.URL,
        16 * KIB,
    ),
    "settings": Target(
        addresses.check_settings,
        ("crawler.settings.groups",),
        ("unit.settings.test_settings",),
        tokens.SETTINGS + tokens.BYTES,
        16 * KIB,
    ),
}
