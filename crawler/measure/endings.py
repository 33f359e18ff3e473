"""How a crawl ended, in words that terminal, report and dashboard share, and with which option it goes on."""

from __future__ import annotations

from collections.abc import Mapping

from crawler.log.terminal import counted

_ENDINGS = {
    "finished": "finished: every URL that belongs to the crawl has its outcome",
    "max_pages": "stopped at --max-pages",
    "max_time": "stopped at --max-time",
    "retry_after": "stopped early: hosts ask to be left alone for longer than --max-retry-after allows",
    "stopped": "stopped early",
    "failed": "stopped by an error",
}
# The limits of `PageLimits.reached`: what each holds for, and how the user has set it.
_LIMITS = {
    "max_pages_per_site": ("site", "--max-pages-per-site"),
    "site.max_pages": ("site", "max_pages of their own"),
    "max_pages_per_domain": ("domain", "--max-pages-per-domain"),
}
_OPTIONS = {
    "max_pages": "--max-pages",
    "max_pages_per_site": "--max-pages-per-site",
    "max_pages_per_domain": "--max-pages-per-domain",
}


def ending_words(why: str, reached: Mapping[str, int], *, has_pages: bool) -> str:
    """How a crawl ended, as the beginning of a sentence; empty for a word of another version.

    Args:
        why: The word for it, see `crawler.engine.ending.Ending`.
        reached: Of how many sites or domains limits kept pages back, by the name of the limit.
        has_pages: Whether any page was answered.
    """
    if why == "finished" and not has_pages:
        return "ended without a page: no seed led to one"
    if why not in ("max_pages_per_site", "max_pages_per_domain"):
        return _ENDINGS.get(why, "")
    kinds = [(counted(reached[name], what), how) for name, (what, how) in _LIMITS.items() if reached.get(name)]
    many = [f"{count} ({how if not count.startswith('1 ') else how.replace('their', 'its')})" for count, how in kinds]
    return f"limit reached on {' and '.join(many) or _OPTIONS[why]}"


def higher_option(why: str, reached: Mapping[str, int]) -> str:
    """The option that a crawl needs to go on behind the limit that it ended by; empty if it needs none, or none helps.

    Args:
        why: The word for how it ended.
        reached: Of how many sites or domains limits kept pages back, by the name of the limit.
    """
    if why == "max_pages_per_site" and "max_pages_per_site" not in reached:
        return _OPTIONS["max_pages_per_domain"] if "max_pages_per_domain" in reached else ""
    return _OPTIONS.get(why, "")
