"""CSS selectors on Lexbor's tree as browsers' querySelectorAll has them: each element once, in document order.

Lexbor gives an element once for each part of a list that it matches. And where a functional pseudo-class begins what
stands before a descendant combinator, `:is(p) code`, it looks at the parent alone; after a universal selector it does
not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

_CACHED_SELECTORS = 1_000
# Strings, attributes and escapes are passed over; then there is the colon that begins a compound selector.
_TOKEN = re.compile(
    r"""\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\]"'])*\]"""
    r"""|(?<![^\s>+~,(]):(?=(?:is|where|not|has)\()""",
    re.IGNORECASE | re.DOTALL,
)


class Tree(LexborHTMLParser):
    """Lexbor's tree of a page, which finds each element once and in document order.

    Args:
        html: The page as UTF-8.
    """

    def css(self, query: str) -> list[LexborNode]:
        """The elements that a CSS selector matches, each once, in document order.

        Args:
            query: A selector, or a list of them with commas.
        """
        found = super().css(_explicit(query))
        return list({node.mem_id: node for node in found}.values()) if "," in query else found

    def css_first(self, query: str, default: Any = None, strict: bool = False) -> Any:
        """The first element that a CSS selector matches.

        Args:
            query: A selector, or a list of them with commas.
            default: What is given if there is none.
            strict: Whether more than one is an error.
        """
        if strict and "," in query:
            found = self.css(query)
            if len(found) > 1:
                raise ValueError(f"{query!r} matches {len(found)} elements, not one")
        return super().css_first(_explicit(query), default, strict and "," not in query)


@lru_cache(_CACHED_SELECTORS)
def _explicit(selector: str) -> str:
    """The selector with a universal selector before each functional pseudo-class that nothing stands before."""
    return _TOKEN.sub(lambda token: "*:" if token[0] == ":" else token[0], selector) if "(" in selector else selector
