"""URLs from pages, seeds from people, settings from files: what is so of everything that is taken."""

from __future__ import annotations

import io
import re
import tomllib
import warnings
from typing import Any

from crawler import urls
from crawler.errors import UrlError, UsageError
from crawler.parse.hrefs import MAX_HREF_CHARS, MAX_TARGET_CHARS, Base
from crawler.scope import seeds
from crawler.scope.patterns import NO_NOVELTY, novelty_of, path_fault, pattern_of
from crawler.scope.rewrite import UrlRules
from crawler.scope.scope import Scope, SeedSite
from crawler.settings import file as settings_file
from tests.fuzz.promise import expect

RULES = UrlRules(strip_session_ids=True, strip_tracking=True, drop_params=("drop", "é"), sort_query=True)
BASE = "https://a.example/dir/page?query"
KINDS = ("host", "domain", "prefix", "any")
urls.registrable_domain("a.example")  # reads its list now, so that no input is charged with it
_REASONS = ("invalid", "scheme", "too_long", "host_too_long", "bad_port")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_MAX_PATTERN_BYTES = 2000
_ESCAPES = re.compile(r"%[0-9a-fA-F]{2}")


def check_url(data: bytes) -> None:
    """A URL alone, and every further line as a reference relative to the line before it."""
    first, *rest = data.decode("utf-8", "surrogateescape").split("\n")[:20]
    base = _canonical(first)
    if base is not None:
        expect_canonical(base)
        _check_scope(base)
        _check_shape(base)
    for reference in rest:
        base = _check_reference(reference, base or BASE) or base
    _check_reference(first, BASE)


def check_seeds(data: bytes) -> None:
    """A site list from standard input; its first words are arguments as well."""
    words = data[:2000].decode("utf-8", "surrogateescape").split()[:2]
    kind = KINDS[len(data) % len(KINDS)]
    for arguments, files in ((words, []), ([], ["-"]), (words[:1], ["-"])):
        try:
            found = seeds.read(arguments, files, [], kind, io.BytesIO(data))  # type: ignore[arg-type]
        except UsageError as error:
            expect(bool(str(error)), "a refusal has its sentence")
            continue
        expect(found == seeds.read(arguments, files, [], kind, io.BytesIO(data)), "seeds are the same when read again")  # type: ignore[arg-type]
        expect(bool(found.sites), "there is a seed or a refusal")
        scope = Scope(found.sites)
        named = [site.seed for site in found.sites]
        expect(len(set(named)) == len(named), "seeds are distinct", named)
        for index, url in enumerate(named):
            expect_canonical(url)
            expect(scope.site_of(url) is not None, "a seed is in scope", (index, url))


def check_settings(data: bytes) -> None:
    """A settings file, and its text as a pattern: refused in a sentence, or the same when written and read again."""
    _check_settings({"crawl": {"exclude": [data[:_MAX_PATTERN_BYTES].decode("utf-8", "replace")]}})
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return
    _check_settings(tables)


def _check_settings(tables: dict[str, Any]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what `re` says about some patterns
            found = settings_file.build(tables, "a file")
    except UsageError as error:
        expect(bool(str(error)), "a refusal has its sentence")
        return
    written = settings_file.render(found)
    expect(settings_file.build(tomllib.loads(written), "a file") == found, "settings can be read back", written)


def expect_canonical(url: str) -> None:
    """Everything that is so of a canonical URL."""
    expect(_canonical(url) == url, "canonical URLs stay as they are", (url, _canonical(url)))
    expect(url.isascii() and url.isprintable() and " " not in url, "canonical URLs are printable ASCII", url)
    expect("#" not in url and url.find("?") != len(url) - 1, "canonical URLs have no fragment and no empty query", url)
    expect(all(each == each.upper() for each in _ESCAPES.findall(url)), "escapes are in upper case", url)
    scheme, host, port, target = urls.split(url)
    expect(scheme in ("http", "https") and 0 < port < 65_536 and port not in urls.BAD_PORTS, "dialled as HTTP", url)
    expect(bool(host) and not set(host) & set("@/?#[] "), "the host is a name or an address", url)
    expect(target.startswith("/") and urls.origin(url) + target == url, "an origin and a path are a URL", url)
    expect(urls.origin(url) == f"{scheme}://{urls.host_key(url)}", "the origin holds the politeness key", url)
    expect(-(2**63) <= urls.fingerprint(url) < 2**63, "a fingerprint has 64 bits", url)
    name = urls.split_authority(urls.host_key(url))[0]
    expect(host == name.strip("[]"), "there is one host", url)
    domain = urls.registrable_domain(name)
    expect(bool(domain) and name.rstrip(".").endswith(domain), "a host belongs to its domain", (url, domain))


def _canonical(url: str, base: str | None = None) -> str | None:
    """The canonical form, None where there is none."""
    try:
        return urls.canonicalize(url, base)
    except UrlError as error:
        expect(error.reason in _REASONS and bool(str(error)), "a refusal has its reason", error)
        return None


def _check_reference(reference: str, base: str) -> str | None:
    target = _canonical(reference, base)
    expect(target == _canonical(reference, base), "a reference leads to one place", reference)
    if target is not None:
        expect_canonical(target)
        expect(_canonical(target, base) == target, "a canonical URL has no base", (target, base))
    if _SURROGATES.search(reference):  # no page holds any
        return target
    is_followed = target is not None and len(target) <= MAX_TARGET_CHARS and len(reference) <= MAX_HREF_CHARS
    joined = Base(base, {}, {}).join(reference)
    expect(joined == (target if is_followed else ""), "the fast way is the same way", (reference, base, joined, target))
    return target


def _check_scope(url: str) -> None:
    """A URL belongs to its own site, whatever belongs to that."""
    for kind in KINDS:
        scope = Scope([SeedSite(url, kind)])  # type: ignore[arg-type]
        expect(scope.site_of(url) == 0, "a URL belongs to its own site", (kind, url))


def _check_shape(url: str) -> None:
    """What is recognised in a URL: the rules that rewrite it, and what traps are known by."""
    changed, rule = RULES.rewrite(url)
    expect_canonical(changed)
    expect((changed == url) is (not rule), "a rule says that it rewrote", (url, changed, rule))
    expect(RULES.rewrite(changed) == (changed, ""), "rules have nothing left to do", (url, changed))
    expect(urls.host_key(changed) == urls.host_key(url), "rules leave the host", (url, changed))
    expect(len(changed) <= len(url), "rules add nothing", (url, changed))
    pattern = pattern_of(url)
    expect(pattern == pattern_of(url) and bool(pattern), "a URL has one pattern", (url, pattern))
    expect(path_fault(url) in (None, "segments", "repeats"), "a path has a fault or none", url)
    expect(path_fault(url, 0, 0) is None, "without limits no path is at fault", url)
    novelty = novelty_of(url, url, url)
    expect(NO_NOVELTY <= novelty < 2**64 and novelty == novelty_of(url, url, url), "a page has one novelty", url)
