"""What is wanted of pages besides their text and links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from crawler.models import ExtractRule


class ExtractOptions(Struct, frozen=True):
    """What is taken from pages besides text and links; it pickles.

    Args:
        metadata: What pages say of themselves: Open Graph, JSON-LD, feeds, translations, author and dates.
        images: Their images with alternative text.
        link_details: Their links with text, rel and whether they stay on the host.
        simhash: The SimHash of their text.
        article: Their main content by trafilatura: as text, as Markdown, or None for not at all.
        rules: The `[extract.NAME]` tables by name.
        function: `module:function` of an extractor in Python; empty for none.
        embedded: Tells by URL and kind (`image/`, `audio/`, `video/`) what is asked for of that which pages show; None
            for nothing.
        names: To whom a page's directives for robots are addressed if they mean us, in lower case.
    """

    metadata: bool = True
    images: bool = False
    link_details: bool = False
    simhash: bool = False
    article: Literal["text", "markdown"] | None = None
    rules: Mapping[str, ExtractRule] = {}
    function: str = ""
    embedded: Callable[[str, str], bool] | None = None
    names: tuple[str, ...] = ("robots", "crawler")

    @property
    def has_extractors(self) -> bool:
        """Whether anything is wanted that may end a worker: a page that did runs once more without it."""
        return bool(self.article or self.rules or self.function)


USUAL = ExtractOptions()  # what is taken where nobody says otherwise
