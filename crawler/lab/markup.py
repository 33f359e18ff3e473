"""The HTML of the lab's pages: a frame like the real web's, filled with text and links up to a wanted size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from msgspec import Struct

from crawler.lab.answers import PageKind, url
from crawler.lab.codings import Charset

# One text and one link each, in turn; a page is as many of them as its size allows.
UNITS = (
    b"<p>%b %b.</p>\n",
    b"<p>%b</p>\n<p>More on this: <strong>%b</strong></p>\n",
    b"<ul>\n<li>%b</li>\n<li>%b</li>\n</ul>\n",
    b'<p class="note">%b <span>(%b)</span></p>\n',
    b"<h3>Details</h3>\n<p>%b %b</p>\n",
    b"<table>\n<tr><th>Entry</th><th>See</th></tr>\n<tr><td>%b</td><td>%b</td></tr>\n</table>\n",
    b"<blockquote><p>%b</p></blockquote>\n<p>From %b</p>\n",
    b'<div class="card"><div>%b</div><div>%b</div></div>\n',
)
PLAIN_STYLES = 18  # So many of the 32 ways in which links are written are just `Place.anchor`.
SECTION_UNITS = 6  # So many units stand between two headings.
SMALLEST_UNIT_BYTES = 150  # This bounds the draws that a page of some size can need.


class Place(Struct, frozen=True):
    """Somewhere a link can lead.

    Args:
        host: Host name.
        path: Path and query.
        href: The same, escaped for an attribute.
        label: What links to it say, ASCII.
        anchor: The plain link to it from its own host.
        kind, status: What it answers.
        disallowed: Whether robots.txt forbids it.
    """

    host: str
    path: str
    href: str
    label: str
    anchor: bytes
    kind: PageKind = "page"
    status: int = 200
    disallowed: bool = False


class Frame(Struct, frozen=True):
    """What is fixed on a page before it is filled.

    Args:
        here: The page.
        port: Port of the absolute links.
        title, heading: Unescaped text of title and h1.
        nav, tree, foot: Places linked in the header, after the heading and in the footer; never with nofollow.
        charset: How the page is written.
    """

    here: Place
    port: int
    title: str
    heading: str
    nav: Sequence[Place]
    tree: Sequence[Place]
    foot: Sequence[Place]
    charset: Charset


def place(host: str, path: str, label: str, kind: PageKind = "page", status: int = 200, hidden: bool = False) -> Place:
    """Make a place with its link; `hidden` by robots.txt."""
    href = escape(path)
    return Place(host, path, href, label, f'<a href="{href}">{label}</a>'.encode(), kind, status, hidden)


def draws_needed(size_bytes: int) -> int:
    """How many draws a page of this size takes at most."""
    return 2 * (size_bytes // SMALLEST_UNIT_BYTES + 1)


def write(
    frame: Frame, size_bytes: int, draws: Sequence[int], stock: Sequence[bytes], pick: Callable[[int], Place]
) -> tuple[bytes, list[Place]]:
    """Write a page and the list of where it leads.

    Args:
        frame: What is fixed.
        size_bytes: Size of the UTF-8; a frame that is larger stays as it is.
        draws: At least `draws_needed` numbers.
        stock: Paragraphs to fill it with.
        pick: The place that a draw leads to.

    Returns:
        The HTML as UTF-8, and the targets of its links in order, repetitions included.
    """
    parts = [_head(frame, stock[draws[0] % len(stock)]), *_top(frame)]
    tail = _tail(frame)
    targets = [*frame.nav, *frame.tree]
    room = size_bytes - len(tail) - sum(map(len, parts))
    here, port = frame.here, frame.port
    until_heading = 0
    pairs = iter(draws)
    for text_draw, link_draw in zip(pairs, pairs, strict=True):
        target = pick(link_draw)
        style = link_draw >> 27
        is_plain = style < PLAIN_STYLES and target.host == here.host
        link = target.anchor if is_plain else _anchor(here, target, style, port)
        unit = UNITS[text_draw & 7] % (stock[(text_draw >> 3) % len(stock)], link)
        if not until_heading:
            unit = b'<h2 id="section-%d">%b</h2>\n%b' % (len(parts), target.label.encode(), unit)
            until_heading = SECTION_UNITS
        until_heading -= 1
        if len(unit) > room:
            break
        room -= len(unit)
        parts.append(unit)
        targets.append(target)
    parts.append(b"\n" * room)
    parts.append(tail)
    return b"".join(parts), [*targets, *frame.foot, here]


def note(title: str, hrefs: Sequence[str] = ()) -> bytes:
    """A small page: a title and a list of links as given, UTF-8."""
    items = "".join(f'<li><a href="{escape(href)}">{escape(href)}</a></li>\n' for href in hrefs)
    name = escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{name}</title></head>\n'
        f"<body><h1>{name}</h1>\n<ul>\n{items}</ul>\n</body>\n</html>\n"
    ).encode()


def relative(base: str, target: str) -> str:
    """The shortest way to write a path as a reference relative to another path of the same host."""
    here = base.partition("?")[0].split("/")[1:-1]
    path, mark, query = target.partition("?")
    *there, name = path.split("/")[1:]
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    steps = "../" * (len(here) - shared) + "".join(f"{segment}/" for segment in there[shared:]) + name
    return (steps or "./") + mark + query


def _anchor(here: Place, target: Place, style: int, port: int) -> bytes:
    """The link to a place, written in one of the ways of the web; `style` is 0 to 31."""
    if target.host != here.host:
        href = url(target.host, target.href, port)
        return f'<a href="{href[5:] if style < 4 else href}" class="external">{target.label}</a>'.encode()
    if style < 25:
        return f'<a href="{relative(here.path, target.href)}">{target.label}</a>'.encode()
    path = target.href
    if style < 27:
        return f'<a href="{path}#section-12">{target.label}</a>'.encode()
    if style < 28:
        return f"<a title='{target.label}' href='{path}'>{target.label}</a>".encode()
    if style < 29:
        return f'<a href="{path}" rel="nofollow">{target.label}</a>'.encode()
    if style < 30:
        return f'<a href=" {path} " target="_blank" rel="noopener">{target.label}</a>'.encode()
    return f'<a href="{url(target.host, target.href, port)}">{target.label}</a>'.encode()


def _head(frame: Frame, description: bytes) -> bytes:
    title = escape(frame.title)
    own = url(frame.here.host, frame.here.href, frame.port)
    text = description.decode().replace("<em>", "").replace("</em>", "")
    meta = f'<meta charset="{frame.charset.meta}">\n' if frame.charset.meta else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{frame.charset.language}">\n<head>\n{meta}<title>{title}</title>\n'
        f'<meta name="description" content="{text}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta property="og:type" content="article">\n<meta property="og:title" content="{title}">\n'
        f'<meta property="og:url" content="{own}">\n<link rel="canonical" href="{own}">\n'
        '<link rel="stylesheet" href="/static/style.css">\n'
        '<script>window.page = {"ads": false, "link": "<a href=\'/not-a-link\'>"};</script>\n</head>\n'
    ).encode()


def _top(frame: Frame) -> list[bytes]:
    nav = b"\n".join(b"<li>%b</li>" % target.anchor for target in frame.nav)
    base = frame.here.path
    tree = "".join(f'<li><a href="{relative(base, target.href)}">{target.label}</a></li>\n' for target in frame.tree)
    return [
        b'<body id="top">\n<header>\n<nav>\n<ul>\n%b\n</ul>\n</nav>\n</header>\n<main>\n' % nav,
        f"<h1>{escape(frame.heading)}</h1>\n<ul>\n{tree}</ul>\n".encode(),
    ]


def _tail(frame: Frame) -> bytes:
    name = frame.here.host
    foot = " ".join(f'<a href="{target.href}">{target.label}</a>' for target in frame.foot)
    return (
        f'</main>\n<footer>\n<p>{foot}</p>\n<p><a href="#top">Top</a> <a href="mailto:post@{name}">Write to us</a> '
        '<a href="javascript:void(0)">Print</a> <a href="tel:+15550100">Call</a></p>\n'
        f"<p>&copy; {name}</p>\n</footer>\n</body>\n</html>\n"
    ).encode()
