"""An article in the structure of its page: what trafilatura chose, with the headings, lists and tables that it lost.

trafilatura knows what is article and what is not, but often gives it back as bare paragraphs: headings stay away where
no element is named for the article, and lists and tables are cut. So its text only chooses among the page's blocks.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Literal

from crawler.parse.extract.blocks import Block, Frame, Page
from crawler.parse.extract.markdown import code_block, escape_start

_GRAM_WORDS = 4  # A block is found in the text by runs of so many words; one with fewer by all of them.
_FOUND = 0.6  # A block is the article's if this share of its runs is in the article's text.
_COVERED = 0.8  # Less of the article's words in blocks than this share: it was not taken from the page's elements.
_CONTAINED = 0.9  # The article's element holds this share of the words of its blocks.
_WHOLE = 0.5  # A list or table is taken as a whole if this share of its words is the article's.
_AS_GOOD = 0.9  # An element around it is the article's if this share of what it has beyond it is the article's.
_DENSE = 0.6  # Where this share of an element's words is the article's, its sentences are so as well.
_LINKED = 0.8  # A sentence with this share of its characters in links is none but a link.
_WORD = re.compile(r"\w+")


def rebuild(page: Page, article: str, form: Literal["text", "markdown"]) -> str | None:
    """An article in the structure of its page; None if the page's elements do not hold it.

    Args:
        page: The page's blocks.
        article: Its text.
        form: What is made of it.
    """
    wanted = _words(article)
    words = [_words(block.text) for block in page.blocks]
    grams = _Grams(wanted)
    chosen = [grams.hold(each) for each in words]
    sizes = [len(each) if is_chosen else 0 for each, is_chosen in zip(words, chosen, strict=True)]
    if not wanted or sum(sizes) < _COVERED * len(wanted):
        return None
    for at, block in enumerate(page.blocks):
        chosen[at] = chosen[at] and block.kind != "heading"
    choice = _Choice(page, [len(each) for each in words], chosen, len(wanted))
    choice.complete()
    choice.head()
    blocks = [block for block, is_chosen in zip(page.blocks, chosen, strict=True) if is_chosen]
    return _markdown(blocks) if form == "markdown" else _text(blocks)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


class _Grams:
    """Runs of words in a text."""

    def __init__(self, words: list[str]) -> None:
        self._runs = [frozenset(_runs(words, length)) for length in range(1, _GRAM_WORDS + 1)]

    def hold(self, words: list[str]) -> bool:
        """Whether the text has these words, or most of them as they follow each other."""
        if not words:
            return False
        length = min(len(words), _GRAM_WORDS)
        runs = list(_runs(words, length))
        known = self._runs[length - 1]
        return sum(run in known for run in runs) >= _FOUND * len(runs)


def _runs(words: list[str], length: int) -> zip[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


class _Choice:
    """Which blocks of a page are its article.

    Args:
        page: The page.
        sizes: Words of each block.
        chosen: Whether the article's text has it; changed in place.
        wanted: Words of the article's text.
    """

    def __init__(self, page: Page, sizes: list[int], chosen: list[bool], wanted: int) -> None:
        self._page = page
        self._chosen = chosen
        texts = (size if block.kind != "heading" else 0 for size, block in zip(sizes, page.blocks, strict=True))
        self._all = _sums(list(texts))
        self._taken = _sums([size if is_chosen else 0 for size, is_chosen in zip(sizes, chosen, strict=True)])
        self._start, self._end = self._container(wanted)
        self._aside = [False] * len(chosen)
        for start, end in page.asides:
            if self._share(start, end) < _WHOLE:
                self._aside[start:end] = [True] * (end - start)
        while self._start and page.blocks[self._start - 1].kind == "heading" and not self._aside[self._start - 1]:
            self._start -= 1  # The title often stands beside the element that holds the text.
        chosen[: self._start] = [False] * self._start
        chosen[self._end :] = [False] * (len(chosen) - self._end)

    def _share(self, start: int, end: int) -> float:
        """The share of words between two blocks that are the article's."""
        size = self._all[end] - self._all[start]
        return (self._taken[end] - self._taken[start]) / size if size else 0.0

    def _container(self, wanted: int) -> tuple[int, int]:
        """The blocks of the smallest element that holds nearly all of the article, or of one around it as good."""
        enough = _CONTAINED * min(wanted, self._taken[-1])
        found: tuple[int, int] | None = None
        for start, end in self._page.spans:
            if found is None:
                if self._taken[end] - self._taken[start] >= enough:
                    found = start, end
            elif start <= found[0] and found[1] <= end:
                more = self._all[end] - self._all[start] - self._all[found[1]] + self._all[found[0]]
                more_taken = self._taken[end] - self._taken[start] - self._taken[found[1]] + self._taken[found[0]]
                if more_taken >= _AS_GOOD * more:
                    found = start, end
        return found or (0, len(self._chosen))

    def complete(self) -> None:
        """Take lists and tables as a whole, sentences between others, and code, which is never advertising."""
        blocks, chosen = self._page.blocks, self._chosen
        if self._share(self._start, self._end) >= _DENSE and True in chosen:
            for at in range(chosen.index(True), self._end):
                if _is_sentence(blocks[at]):
                    self._take(at, at + 1)
        for at in range(self._start, self._end):
            if blocks[at].kind == "code":
                self._take(at, at + 1)
        for first, last in self._page.wholes:
            if self._start <= first < last <= self._end:
                is_announced = first > self._start and chosen[first - 1] and blocks[first - 1].text.endswith(":")
                if is_announced or self._share(first, last) >= _WHOLE:
                    self._take(first, last)
        self._begin_items()

    def _begin_items(self) -> None:
        """Take what an item begins with where anything of it is taken: a term with its definition."""
        begins: dict[Frame, int] = {}
        for at in range(self._start, self._end):
            for frame in self._page.blocks[at].frames:
                begins.setdefault(frame, at)
            if self._chosen[at]:
                for frame in self._page.blocks[at].frames:
                    self._take(begins[frame], begins[frame] + 1)

    def _take(self, first: int, last: int) -> None:
        for at in range(first, last):
            if not self._aside[at] and self._page.blocks[at].kind != "heading":
                self._chosen[at] = True

    def head(self) -> None:
        """Take each heading under which the article has something."""
        has_text = [False] * 7  # by level: whether the section that a heading of it would begin has something
        for at in range(self._end - 1, self._start - 1, -1):
            block = self._page.blocks[at]
            if block.kind != "heading":
                if self._chosen[at]:
                    has_text = [True] * 7
            else:
                self._chosen[at] = has_text[block.level] and not self._aside[at]
                has_text[block.level :] = [False] * (7 - block.level)


def _is_sentence(block: Block) -> bool:
    return block.kind == "text" and block.linked < _LINKED * len(block.text) and block.text[-1] in ".:!?。"


def _sums(sizes: list[int]) -> list[int]:
    """The sum of all sizes before each place, and of all."""
    return [0, *accumulate(sizes)]


# Blocks put together


def _text(blocks: list[Block]) -> str:
    return "\n".join(block.text for block in blocks)


def _markdown(blocks: list[Block]) -> str:
    lines: list[str] = []
    before: Block | None = None
    for block in blocks:
        first, rest, is_item = _prefixes(block.frames)
        own = _own_lines(block, is_first_row=before is None or before.table is not block.table)
        if before is not None and not (is_item and before.frames and block.kind == before.kind == "text"):
            if block.table is None or block.table is not before.table:
                lines.append(_gap(before.frames, block.frames))
        lines += [(first if number == 0 else rest) + line if line else rest.rstrip() for number, line in enumerate(own)]
        before = block
    return "\n".join(lines)


def _prefixes(frames: tuple[Frame, ...]) -> tuple[str, str, bool]:
    """What the first line and the others begin with, and whether the first begins an item."""
    first, rest, is_item = "", "", False
    for frame in frames:
        is_item = is_item or (not frame.is_begun and frame.marker != frame.indent)
        first += frame.indent if frame.is_begun else frame.marker
        rest += frame.indent
        frame.is_begun = True
    return first, rest, is_item


def _gap(before: tuple[Frame, ...], after: tuple[Frame, ...]) -> str:
    """The line between two blocks: empty, but for the signs of quotations that go on."""
    shared = ""
    for one, other in zip(before, after, strict=False):
        if one is not other:
            break
        shared += one.indent
    return shared.rstrip()


def _own_lines(block: Block, is_first_row: bool) -> list[str]:
    match block.kind:
        case "heading":
            return [f"{'#' * block.level} {block.markdown}"]
        case "code":
            return code_block(block.markdown).split("\n")
        case "row":
            cells = block.markdown.replace("\\|", "").count("|") - 1
            return [block.markdown, "|" + "---|" * cells] if is_first_row else [block.markdown]
    lines = [escape_start(line) for line in block.markdown.split("\n")]
    return [line + "\\" for line in lines[:-1]] + lines[-1:]
