"""What the user wants from a page besides what every page gives: SimHash, article, rules, an extractor in Python.

Whatever fails here is noted in the record's `extract_error`, and the page keeps its record.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import msgspec

from crawler.errors import UsageError
from crawler.models import Article, Document, Extraction
from crawler.parse.extract.page import ExtractPage, load
from crawler.parse.extract.rules import Rules
from crawler.parse.extract.simhash import SimHasher
from crawler.parse.metadata import is_deeper
from crawler.parse.options import ExtractOptions
from crawler.parse.text import fold

MAX_ERROR_CHARS = 200  # Each sentence in `extract_error` is cut to this length.
MAX_DEPTH = 64  # lists and dictionaries inside of each other in what an extractor returns
LEFT_OUT = "left out: a worker died at this page before, so it was read again without extractors"

_ARTICLE = "crawler.parse.extract.article"  # imported where it is wanted: its library is large, and may be missing


class Extractors:
    """Takes from pages what is wanted besides text, links and metadata; for one thread.

    Args:
        wanted: What that is.

    Raises:
        UsageError: If a rule or the extractor in Python cannot be used, or a library is missing.
    """

    def __init__(self, wanted: ExtractOptions) -> None:
        self._wanted = wanted
        self._simhash = SimHasher().of if wanted.simhash else None
        self._rules = Rules(wanted.rules) if wanted.rules else None
        self._function = load(wanted.function) if wanted.function else None
        self._article: Callable[..., Article | None] | None = None
        if wanted.article:
            _require_trafilatura()
            self._article = import_module(_ARTICLE).read

    def extract(self, body: bytes, url: str, document: Document, is_lone: bool) -> Extraction:
        """Take from a page what is wanted.

        Args:
            body: The page as UTF-8.
            url: Its canonical URL.
            document: What the parser read.
            is_lone: Whether it ended a worker before; then nothing is asked that may have been the cause.
        """
        simhash = self._simhash(document.text) if self._simhash else None
        if not self._wanted.has_extractors:
            return Extraction(simhash)
        if is_lone:
            return Extraction(simhash, extract_error=LEFT_OUT)
        page = ExtractPage(url, body)
        faults: list[str] = []
        article = self._attempt("article: ", faults, self._read_article, page, document)
        rules = self._attempt("rules: ", faults, self._read_rules, page, faults)
        extracted = self._attempt("", faults, self._call, page)
        return Extraction(simhash, article, rules, extracted, "; ".join(faults) or None)

    def _attempt(self, what: str, faults: list[str], read: Callable[..., Any], *arguments: Any) -> Any:
        # Without memory, too: what the attempt took is free again, and the record needs little. And whatever the
        # user's code thinks best, one page does not end the crawl.
        try:
            return read(*arguments)
        except (Exception, SystemExit) as error:
            faults.append(_sentence(what, error))
            return None

    def _read_article(self, page: ExtractPage, document: Document) -> Article | None:
        return self._article(page.html, page.url, document, self._wanted.article) if self._article else None

    def _read_rules(self, page: ExtractPage, faults: list[str]) -> dict[str, Any] | None:
        if self._rules is None:
            return None
        values, found = self._rules.read(page)
        faults += found
        return values

    def _call(self, page: ExtractPage) -> dict[str, Any] | None:
        if self._function is None:
            return None
        given = self._function(page)
        if given is None:
            return None
        if not isinstance(given, dict):
            raise TypeError(f"the extractor returned {type(given).__name__}, not a dictionary")
        value: dict[str, Any] = msgspec.to_builtins(given, str_keys=True, enc_hook=_plain)
        if is_deeper(value, MAX_DEPTH):
            raise ValueError(
                f"the extractor returned more than {MAX_DEPTH} lists and dictionaries inside of each other"
            )
        return value


def _plain(value: Any) -> Any:
    """What JSON has for a value of a class of its own: the strings of lxml and BeautifulSoup are such."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float):
        return float(value) if isinstance(value, float) else int(value)
    raise TypeError(f"the extractor returned a {type(value).__name__}, which JSON does not have")


def check(wanted: ExtractOptions) -> None:
    """Find out before the crawl whether all that is wanted can be had.

    Raises:
        UsageError: If a rule or the extractor in Python cannot be used, or a library is missing.
    """
    Rules(wanted.rules)
    if wanted.function:
        load(wanted.function)
    if wanted.article:
        _require_trafilatura()


def _require_trafilatura() -> None:
    if find_spec("trafilatura") is None:
        raise UsageError("--article needs trafilatura; get it with: pip install trafilatura lxml_html_clean")


def _sentence(what: str, error: BaseException) -> str:
    text = what + fold("".join(traceback.format_exception_only(error)))
    return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + "…"
