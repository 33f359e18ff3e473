"""A page as a flat list of blocks in document order: paragraphs, headings, list items, code, rows of tables.

Each block knows its text and its Markdown, and the list items and quotations around it; `outline` chooses among the
blocks and puts them together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from crawler.parse.document import BLOCKS, HEADINGS, HIDDEN
from crawler.parse.extract.markdown import code_span, escape, wrap
from crawler.parse.text import EDGE, fold, fold_line, lines

MAX_NESTING = 20  # List items and quotations inside of each other that are shown; deeper ones stand on that level.

_SKIPPED = (HIDDEN - {"title"}) | frozenset("head nav button select textarea svg audio video canvas object".split())
_ASIDE = frozenset(("aside", "footer", "figure", "form"))
_ASIDE_WORD = (
    r"(?:ads?|advert\w*|banner|bread-?crumbs?|comments?|cookies?|footer|menu|nav\w*|newsletter|outbrain|popup|promo\w*"
    r"|related\w*|shar(?:e|ing)\w*|sidebar|social\w*|sponsor\w*|subscri\w*|taboola|teaser|toc|widget)"
)
_ASIDE_CLASS = re.compile(rf"(?:^|[\s_-]){_ASIDE_WORD}(?:$|[\s_-])", re.IGNORECASE)
# Many an identifier is a heading's text, `settings-related-to-cookies`.
_ASIDE_ID = re.compile(rf"(?:[^\W_]+[_-])?{_ASIDE_WORD}(?:[_-][^\W_]+)?", re.IGNORECASE)
_OPENING = (BLOCKS | frozenset(HEADINGS)) - {"br"}
_LISTS = frozenset(("ul", "ol", "menu", "dl"))
_ITEMS = frozenset(("li", "dt", "dd"))
_EMPHASIS = {"em": "*", "i": "*", "strong": "**", "b": "**", "del": "~~", "s": "~~", "strike": "~~"}
_TAGGED = frozenset(("sub", "sup"))
_CODE = frozenset(("code", "kbd", "samp", "tt", "var"))
# A table with any of these in it arranges the page; it holds no data.
_LAID_OUT = ("table", "pre", *HEADINGS)
_PERMALINKS = frozenset(("¶", "#", "§", "🔗", "\uf0c1"))
_GAP = re.compile(rf"{EDGE}(?: ?{EDGE})+")  # line breaks one after the other set paragraphs apart
_SPACE = re.compile(r"[ \t\r\n\f]+")


@dataclass(slots=True, eq=False)
class Frame:
    """A list item or a quotation around blocks.

    Args:
        marker: What its first line begins with in Markdown.
        indent: What its other lines begin with.
        is_begun: Whether its first line was written.
    """

    marker: str
    indent: str
    is_begun: bool = False


@dataclass(slots=True, eq=False)
class Block:
    """A piece of the page that stands on lines of its own.

    Args:
        kind: `text`, `heading`, `code` or `row`.
        text: What a reader sees; the cells of a row are set apart by a space.
        markdown: The same in Markdown, without what the frames add.
        level: Of a heading, 1 to 6.
        frames: The items and quotations around it, from the outside in.
        table: Stands for the table of a row.
        linked: How many of its characters are links.
    """

    kind: str
    text: str
    markdown: str
    level: int = 0
    frames: tuple[Frame, ...] = ()
    table: object = None
    linked: int = 0


@dataclass(slots=True)
class Page:
    """The blocks of a page, and which of them its elements hold.

    Args:
        blocks: In document order.
        spans: First block of each element that holds blocks and the one after its last; inner elements come first.
        wholes: The same of lists and data tables, which are wanted as a whole.
        asides: The same of elements that by their name are no part of an article.
    """

    blocks: list[Block] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    wholes: list[tuple[int, int]] = field(default_factory=list)
    asides: list[tuple[int, int]] = field(default_factory=list)


def blocks_of(tree: Any) -> Page:
    """The blocks of a page.

    Args:
        tree: lxml's tree of the page; it is left as it is.
    """
    walk = _Walk()
    walk.run(tree)
    return walk.page


class _Line:
    """The text that is being gathered, with its Markdown."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._markdown: list[str] = []
        self._open: list[int] = []  # Where the text of each open inline element begins; -1 if a block ended since.
        self._codes = 0
        self.links = 0  # open links
        self.linked = 0  # characters of links since the last time

    def add(self, text: str) -> None:
        if text:
            self._text.append(text)
            if self.links:
                self.linked += len(text)
            self._markdown.append(text if self._codes else escape(text))

    def open(self, tag: str) -> None:
        self._open.append(len(self._markdown))
        self._codes += tag in _CODE

    def close(self, tag: str) -> None:
        start = self._open.pop() if self._open else -1
        self._codes -= tag in _CODE
        if start < 0 or self._codes:  # inside of code there is code alone
            return
        inner = _SPACE.sub(" ", "".join(self._markdown[start:]))
        if tag in _CODE:
            inner = code_span(inner)
        elif tag in _EMPHASIS:
            inner = wrap(inner, _EMPHASIS[tag], _EMPHASIS[tag])
        else:
            inner = wrap(inner, f"<{tag}>", f"</{tag}>")
        self._markdown[start:] = [inner]

    def take(self) -> tuple[str, str]:
        """The text and the Markdown gathered since the last time, folded."""
        if not self._text:
            return "", ""
        text, markdown = fold("".join(self._text)), fold("".join(self._markdown))
        self._text.clear()
        self._markdown.clear()
        self._open = [-1] * len(self._open)
        return text, markdown


class _Walk:
    """One way through the tree, without recursion: pages can be deeper than Python's stack."""

    def __init__(self) -> None:
        self.page = Page()
        self._line = _Line()
        self._starts: list[int] = []  # the first block of each open element
        self._frames: list[Frame] = []
        self._lists: list[_List] = []
        self._level = 0
        self._table: Any = None  # the open data table
        self._cells: list[tuple[str, ...]] = []

    def run(self, tree: Any) -> None:
        walk = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
        for event, element in walk:
            if event == "start":
                self._starts.append(len(self.page.blocks))
                if element.tag in _SKIPPED or _is_permalink(element):
                    walk.skip_subtree()
                elif element.tag == "pre" and self._table is None:
                    self._code(element)
                    walk.skip_subtree()
                else:
                    self._open(element)
                    self._line.add(element.text or "")
                continue
            if event == "end":
                self._end(element)
            if element is not tree:
                self._line.add(element.tail or "")
        self._flush()

    def _end(self, element: Any) -> None:
        is_code = element.tag == "pre" and self._table is None
        if not (is_code or element.tag in _SKIPPED or _is_permalink(element)):
            self._close(element)
        start, end = self._starts.pop(), len(self.page.blocks)
        if end > start:
            self.page.spans.append((start, end))
            if element.tag in _LISTS or (element.tag == "table" and self.page.blocks[start].kind == "row"):
                self.page.wholes.append((start, end))
            if _is_aside(element):
                self.page.asides.append((start, end))

    def _open(self, element: Any) -> None:
        tag = element.tag
        if tag in _EMPHASIS or tag in _CODE or tag in _TAGGED:
            self._line.open(tag)
            return
        if tag == "br":
            self._line.add(EDGE)
        elif tag == "a":
            self._line.links += 1
        if tag not in _OPENING:
            return
        self._flush()
        if self._table is not None:
            return
        if tag in HEADINGS:
            self._level = HEADINGS[tag]
        elif tag in _LISTS:
            self._lists.append(_List(tag, _number(element.get("start"))))
        elif tag in _ITEMS:
            self._open_item(element)
        elif tag == "blockquote":
            self._frames.append(Frame("> ", "> "))
        elif tag == "table" and _holds_data(element):
            self._table = element

    def _open_item(self, element: Any) -> None:
        """A definition belongs to the item that its term began, so that term and definition are one."""
        around = self._lists[-1] if self._lists else None
        if around is None:
            self._frames.append(Frame("- ", "  "))
        elif element.tag == "li":
            self._frames.append(around.item())
        elif element.tag == "dt" or not around.has_term:
            if around.has_term:
                self._frames.pop()
            self._frames.append(around.item())
            around.has_term = True

    def _close(self, element: Any) -> None:
        tag = element.tag
        if tag in _EMPHASIS or tag in _CODE or tag in _TAGGED:
            self._line.close(tag)
            return
        if tag == "a":
            self._line.links -= 1
        if tag not in _OPENING:
            return
        if self._table is not None:
            self._close_in_table(element)
        else:
            self._flush()
            if tag in HEADINGS:
                self._level = 0
            elif tag in _LISTS:
                if self._lists.pop().has_term:
                    self._frames.pop()
            elif tag == "blockquote" or tag == "li" or (tag in _ITEMS and not self._lists):
                self._frames.pop()

    def _close_in_table(self, element: Any) -> None:
        if element.tag in ("td", "th"):
            self._cells.append(tuple(map(fold_line, self._line.take())))
        elif element.tag == "tr":
            self._row()
        elif element is self._table:
            self._flush()
            self._table = None
        else:
            self._line.add(" ")

    def _row(self) -> None:
        cells, self._cells = self._cells, []
        text = " ".join(filter(None, (text for text, _ in cells)))
        if text:
            markdown = "".join(f"| {each.replace('|', chr(92) + '|')} " for _, each in cells) + "|"
            self._add(Block("row", text, markdown, table=self._table))

    def _code(self, element: Any) -> None:
        self._flush()
        text = "".join(element.itertext()).strip("\n").rstrip()
        if text:
            self._add(Block("code", text, text))

    def _flush(self) -> None:
        if self._table is not None:
            self._line.add(" ")
            return
        text, markdown = self._line.take()
        linked, self._line.linked = self._line.linked, 0
        if self._level:
            if text := fold_line(text):
                self._add(Block("heading", text, fold_line(markdown), self._level))
            return
        for part, its_markdown in zip(_GAP.split(text), _GAP.split(markdown), strict=False):
            if shown := lines(part):
                self._add(Block("text", shown, lines(its_markdown), linked=linked))

    def _add(self, block: Block) -> None:
        block.frames = tuple(self._frames[:MAX_NESTING])
        self.page.blocks.append(block)


class _List:
    """An open list."""

    def __init__(self, tag: str, number: int) -> None:
        self._is_ordered = tag == "ol"
        self._number = number
        self.has_term = False  # whether a term has begun an item that is still open

    def item(self) -> Frame:
        marker = f"{self._number}. " if self._is_ordered else "- "
        self._number += 1
        return Frame(marker, " " * len(marker))


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 1


def _is_permalink(element: Any) -> bool:
    """Whether it is the sign beside a heading that leads to the heading itself."""
    if element.tag != "a" or not (element.get("href") or "").startswith("#"):
        return False
    return (element.text or "").strip() in _PERMALINKS and len(element) == 0


def _is_aside(element: Any) -> bool:
    return (
        element.tag in _ASIDE
        or _ASIDE_CLASS.search(element.get("class", "")) is not None
        or _ASIDE_ID.fullmatch(element.get("id", "")) is not None
    )


def _holds_data(table: Any) -> bool:
    if table.get("role") in ("presentation", "none") or next(table.iterdescendants(*_LAID_OUT), None) is not None:
        return False
    return any(len(row) > 1 for row in table.iterdescendants("tr"))
