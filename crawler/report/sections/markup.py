"""Pieces of HTML: whatever goes into them from outside is text there, never markup, and only http(s) URLs are links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from crawler.report.charts import STYLE, safe

# Pictures have these widths in pixels: over the whole page, beside another, on a phone.
FULL, HALF, NARROW = 960, 462, 320
MAX_URL = 300  # A URL is cut to this many characters.
SHOWN_LINKS = 2  # This many of a list of URLs are shown unfolded.
RIGHT, LEFT = "n", ""  # Columns of numbers and columns of text have these classes.


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def of(value: object) -> Html:
    """Anything as markup: markup stays, all else is escaped text."""
    return value if isinstance(value, Html) else Html(safe(str(value)))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Several pieces as one."""
    return Html(between.join(map(of, parts)))


def tag(name: str, *inside: object, **attributes: str) -> Html:
    """An element; `_` at the end of an attribute's name is dropped, others become hyphens."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{safe(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{join(inside)}</{name}>")


def link(url: str, shown: str | None = None) -> Html:
    """A URL that leads there, if it is one of http or https; else only its text."""
    text = shown if shown is not None else url
    text = text if len(text) <= MAX_URL else text[: MAX_URL - 1] + "…"
    if not url.startswith(("http://", "https://")):
        return tag("span", text, class_="url")
    return tag("a", text, class_="url", href=url, rel="noreferrer noopener")


def code(text: str) -> Html:
    """A command or a word of the program."""
    return tag("code", text)


def links(short: Callable[[str], str], urls: Sequence[str], more: int = 0) -> Html:
    """The first URLs below one another, and the others behind a word that says how many there are.

    Args:
        short: Makes of a URL what is shown of it.
        urls: Those that are known.
        more: How many there are beside them.
    """
    rows = [tag("li", link(url, short(url))) for url in urls]
    # A single URL more is shown as well, because a fold for it would hide nothing.
    count = SHOWN_LINKS if len(rows) + max(0, more) > SHOWN_LINKS + 1 else len(rows)
    shown, hidden = rows[:count], rows[count:]
    first = tag("ul", *shown, class_="urls")
    if not hidden:
        return first if more <= 0 else join([first, note(f"and {more:,} more")])
    if more > 0:
        hidden.append(tag("li", f"and {more:,} more", class_="quiet"))
    total = len(rows) - len(shown) + max(0, more)
    return join([first, details(f"{total:,} more", tag("ul", *hidden, class_="urls"))])


def details(summary: str, *inside: object) -> Html:
    """What is shown only to those who ask for it."""
    return tag("details", tag("summary", summary), *inside)


def table(caption: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> Html:
    """A table that scrolls within its own box where it is too wide, by keyboard as well.

    Args:
        caption: What it holds; its name for those who cannot see it.
        columns: Name and class of each.
        rows: The cells.
    """
    head = join(tag("th", name, scope="col", class_=kind) for name, kind in columns)
    body = join(
        tag("tr", *(tag("td", cell, class_=kind) for cell, (_, kind) in zip(row, columns, strict=True))) for row in rows
    )
    inside = tag("table", tag("caption", tag("span", caption)), tag("thead", tag("tr", head)), tag("tbody", body))
    return tag("div", inside, class_="scroll", role="region", aria_label=caption, tabindex="0")


def folded(caption: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[object]], first: int = 10) -> Html:
    """A table of which the first rows are shown, and the others to those who ask for them."""
    shown = table(caption, columns, rows[:first])
    if len(rows) <= first + 2:  # One or two more rows are not worth the asking.
        return table(caption, columns, rows)
    rest = table(f"{caption}, continued", columns, rows[first:])
    return join([shown, details(f"{len(rows) - first:,} more", rest)])


def figure(draw: Callable[[int], str], width: int = FULL) -> Html:
    """A picture in two widths, of which the page shows the one that there is room for.

    Args:
        draw: Draws it as wide as it is told.
        width: Where there is room.
    """
    wide, narrow = (Html(draw(each).replace(f"<style>{STYLE}</style>", "")) for each in (width, NARROW))
    both = tag("div", wide, class_="wide") + tag("div", narrow, class_="narrow")
    return tag("figure", Html(both), class_="half" if width == HALF else "full")


def tiles(rows: Iterable[tuple[str, str]]) -> Html:
    """Figures in a grid, each with its name."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="tiles")


def pair(*figures: Html) -> Html:
    """Pictures beside one another, where there is room."""
    return tag("div", *figures, class_="pair")


def note(*inside: object) -> Html:
    """A sentence that explains or says what is missing."""
    return tag("p", *inside, class_="quiet")


def more(shown: int, total: int, what: str, command: str) -> Html:
    """What a list leaves out and which command has it all; nothing if it is whole."""
    if total <= shown:
        return Html("")
    return note(f"Shown are {shown:,} of {total:,} {what}; all of them: ", code(command))


def section(name: str, title: str, *inside: object) -> Html:
    """A part of the page with a heading, which the list of contents leads to."""
    heading = tag("h2", title, id=f"{name}-title")
    return tag("section", heading, *inside, id=name, aria_labelledby=f"{name}-title")
