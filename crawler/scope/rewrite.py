"""Optional rules that make one URL of several that lead to the same page; all are off unless the user asks for them.

They are for links and sitemap entries. Seeds and the targets of redirects stay as they are: a site that redirects `/`
to `/?sid=1` would otherwise be sent back to `/` for ever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec import Struct

from crawler import urls

if TYPE_CHECKING:
    from crawler.settings.groups import CrawlSettings  # Parse workers have no use for it.

# Parameters, in lower case, whose every value is a session: of servlets, PHP, ColdFusion, osCommerce and Zen Cart.
SESSION_PARAMS = frozenset(("jsessionid", "phpsessid", "cfid", "cftoken", "oscsid", "zenid"))
# Parameters that do where the value is 32 to 64 hex digits, as in `sid=…`; any other value can mean a page.
SESSION_PARAMS_OF_ID = frozenset(("sid", "s", "sess", "session", "sessid", "sessionid", "session_id"))
_ASP_SESSION = re.compile(r"aspsessionid[a-z]{8}")  # classic ASP ends the name with 8 letters of its own
_SESSION_ID = re.compile(r"[0-9a-fA-F]{32,64}")
# In the path: `/shop;jsessionid=0A1B/`, and ASP.NET's `/(S(lit3py55t21z5v55vlm25s55))/page.aspx`.
_PATH_PARAM = re.compile(r";(?:jsessionid|phpsessid)=[^/;]*", re.IGNORECASE)
_PATH_SEGMENT = re.compile(r"(?<=/)\((?:[AFS]\([0-9A-Za-z_-]{1,100}\))+\)/")

# Parameters that tell who clicked where, in lower case; pages look the same without them.
TRACKING_PARAMS = frozenset(
    (
        *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "_ga", "_gl", "srsltid"),  # Google
        *("fbclid", "igshid"),  # Meta
        *("msclkid", "yclid", "ysclid", "ttclid", "twclid", "li_fat_id", "epik", "rdt_cid"),  # other networks
        *("mc_cid", "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "vero_id", "oly_anon_id", "oly_enc_id"),  # mailings
        "_openstat",
    )
)
TRACKING_PREFIX = "utm_"


class UrlRules(Struct, frozen=True):
    """Which rules hold; it pickles. In the order of the fields, and that of `rewrite`'s answers.

    Args:
        strip_session_ids: Take out session ids, in the path and in the query.
        strip_tracking: Take out the parameters of advertisements and mailings (`utm_*`, `gclid`, `fbclid` …).
        drop_params: Names of query parameters to take out, as they stand or percent-decoded.
        sort_query: Put query parameters in the order of their names; those of one name keep theirs.
    """

    strip_session_ids: bool = False
    strip_tracking: bool = False
    drop_params: tuple[str, ...] = ()
    sort_query: bool = False

    def apply(self, url: str) -> str:
        """The canonical form of a canonical URL under the rules; idempotent."""
        return self.rewrite(url)[0]

    def rewrite(self, url: str) -> tuple[str, str]:
        """Apply the rules to a canonical URL.

        Returns:
            The new canonical URL, and the first rule that changed it: `session_ids`, `tracking`, `drop_params`,
            `sort_query`, or "" where it stays as it was.
        """
        if "?" not in url and ";" not in url and "(" not in url:
            return url, ""
        first_rule = ""
        while True:  # once, but for paths that only are canonical as long as the session id is in them
            changed, rule = self._once(url)
            if not rule:
                return url, first_rule
            url = urls.canonicalize(changed)
            first_rule = first_rule or rule

    def _once(self, url: str) -> tuple[str, str]:
        place, mark, query = url.partition("?")
        rule = ""
        if self.strip_session_ids and (";" in place or "(" in place):
            start = place.index("/", 8)
            path = _PATH_SEGMENT.sub("", _PATH_PARAM.sub("", place[start:]))
            if len(path) < len(place) - start:
                place, rule = place[:start] + path, "session_ids"
        if not mark:
            return place, rule
        kept: list[tuple[str, str]] = []  # Each has the name, and the whole pair.
        for pair in query.split("&"):
            name, _, value = pair.partition("=")
            if why := self._unwanted(unquote(name) if "%" in name else name, value):
                rule = rule or why
            else:
                kept.append((name, pair))
        if self.sort_query:
            ordered = sorted(kept, key=lambda each: each[0])
            if ordered != kept:
                kept, rule = ordered, rule or "sort_query"
        return (f"{place}?{'&'.join([pair for _, pair in kept])}" if kept else place), rule

    def _unwanted(self, name: str, value: str) -> str:
        """The rule that takes a parameter out, "" if none does."""
        lower = name.lower()
        if self.strip_session_ids and _is_session(lower, value):
            return "session_ids"
        if self.strip_tracking and (lower.startswith(TRACKING_PREFIX) or lower in TRACKING_PARAMS):
            return "tracking"
        return "drop_params" if name in self.drop_params else ""


def _is_session(name: str, value: str) -> bool:
    if name in SESSION_PARAMS:
        return True
    if name in SESSION_PARAMS_OF_ID:
        return _SESSION_ID.fullmatch(value) is not None
    return _ASP_SESSION.fullmatch(name) is not None


def rules_of(crawl: CrawlSettings) -> UrlRules:
    """The rules that the settings of a crawl ask for."""
    return UrlRules(crawl.strip_session_ids, crawl.strip_tracking, crawl.drop_params, crawl.sort_query)
