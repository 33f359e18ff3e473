"""What the benchmarks work on: the pages of the lab or of a folder, served in a process of their own and kept on disk.

Every part works on the same pages: the whole line crawls them, the fetchers ask for their URLs, the parsers read the
bodies from a file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.errors import UsageError
from crawler.frontier import robots
from crawler.lab.process import LabProcess, serve_folder, serve_in_process
from crawler.lab.world import World, WorldSpec
from crawler.version import VERSION

ADDRESS = "127.0.0.1"
SUFFIXES = (".html", ".htm", ".xhtml")
READ_TIMEOUT_S = 60.0
USER_AGENT = f"crawler/{VERSION}"
FORBIDDEN = "/private/"  # The robots.txt of a site of the lab forbids what begins like this.
MAX_GUESSES = 20  # So often at most it is guessed how many pages a site needs so that a number of them is allowed.


class Entry(Struct, frozen=True, array_like=True):
    """One page of a corpus.

    Args:
        target: Path and query.
        content_type: As the server says.
        length: Bytes of its body.
    """

    target: str
    content_type: str
    length: int


class Corpus(Struct, frozen=True):
    """Pages on disk, one body behind the other.

    Args:
        folder: Where they are.
        authority: `host:port` under which they are served.
        entries: What they are, in order.
    """

    folder: str
    authority: str
    entries: list[Entry]

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        return sum(entry.length for entry in self.entries)

    def url(self, entry: Entry) -> str:
        """The canonical URL of a page."""
        return f"http://{self.authority}{entry.target}"

    def bodies(self) -> Iterator[tuple[Entry, bytes]]:
        """All pages with their bodies, read one at a time."""
        with (Path(self.folder) / "bodies").open("rb") as file:
            for entry in self.entries:
                yield entry, file.read(entry.length)

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """The corpus that `gather` left in a folder."""
        return msgspec.json.decode((folder / "index.json").read_bytes(), type=cls)


class Web(Struct, frozen=True):
    """A corpus that is being served.

    Args:
        corpus: The pages.
        lab: What serves them.
        arguments: Those by which a crawl finds all pages.
    """

    corpus: Corpus
    lab: LabProcess
    arguments: list[str]


@contextmanager
def serve_lab(count: int, page_bytes: int, folder: Path) -> Iterator[Web]:
    """Serve one site of the lab.

    Args:
        count: Pages, beside which there are some that its robots.txt forbids.
        page_bytes: Size of each, bytes.
        folder: Where the corpus goes; it is made.
    """
    spec = _site(count, page_bytes)
    with serve_in_process(spec, warm=True) as lab:
        world = World(spec)
        host = world.hosts[0]
        corpus = gather(lab.port, f"{host}:{lab.port}", world.targets(host), folder)
        yield Web(corpus, lab, world.seeds(lab.port))


def _site(count: int, page_bytes: int) -> WorldSpec:
    """A site of which so many pages may be asked for."""
    pages = count
    # More pages have more forbidden ones among them.
    for _ in range(MAX_GUESSES):
        spec = WorldSpec(hosts=1, pages_per_host=pages, page_bytes=page_bytes, size_spread=0)
        world = World(spec)
        allowed = sum(not target.startswith(FORBIDDEN) for target in world.targets(world.hosts[0]))
        if allowed == count:
            break
        pages += count - allowed
    return spec


@contextmanager
def serve_files(source: Path, count: int | None, folder: Path) -> Iterator[Web]:
    """Serve the HTML files of a folder, copied, with a list of all of them.

    Args:
        source: The folder.
        count: How many files to take; None takes all.
        folder: Where the corpus goes; it is made.

    Raises:
        UsageError: If the folder is missing or has no HTML files.
        OSError: If one of them cannot be read.
    """
    served = folder.with_name("served")
    targets = copied(source, count, served)
    with serve_folder(served) as lab:
        authority = f"site-000.lab:{lab.port}"
        corpus = gather(lab.port, authority, targets, folder)
        sites = folder.with_name("sites.txt")
        sites.write_text("".join(f"{corpus.url(entry)}\n" for entry in corpus.entries), encoding="utf-8")
        yield Web(corpus, lab, ["--sites", str(sites), "--max-depth", "0"])


def copied(source: Path, count: int | None, served: Path) -> list[str]:
    """Copy the HTML files of a folder to where they are served; returns their canonical paths.

    Args:
        source: The folder.
        count: How many files to take; None takes all.
        served: Where they go; it is made.

    Raises:
        UsageError: If the folder is missing or has no HTML files.
        OSError: If one of them cannot be read.
    """
    if not source.is_dir():
        raise UsageError(f"--pages {source} is not a folder")
    found = (path for path in sorted(source.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file())
    files = list(islice(found, count))
    if not files:
        raise UsageError(f"--pages {source} holds no HTML files ({', '.join(SUFFIXES)})")
    return [_copy(path, path.relative_to(source), served) for path in files]


def _copy(path: Path, relative: Path, served: Path) -> str:
    """Copy a file to where it is served; returns its canonical path and query."""
    copy = served / relative
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    url = urls.canonicalize(f"http://host/{quote(relative.as_posix(), errors='surrogateescape')}")
    return url.removeprefix("http://host")


def gather(port: int, authority: str, targets: Iterator[str] | Sequence[str], folder: Path) -> Corpus:
    """Ask a server for pages, which warms it, and keep those that its robots.txt allows and it has.

    Args:
        port: Where it listens on this machine.
        authority: `host:port` to ask for.
        targets: Paths and queries.
        folder: Where the corpus goes; it is made.

    Raises:
        UsageError: If nothing is left.
    """
    folder.mkdir()
    entries = []
    connection = HTTPConnection(ADDRESS, port, timeout=READ_TIMEOUT_S)
    try:
        status, _, body = _get(connection, authority, "/robots.txt")
        rules = robots.parse(body if status == 200 else b"", USER_AGENT)
        with (folder / "bodies").open("wb") as file:
            for target in targets:
                if not rules.allows(f"http://{authority}{target}"):
                    continue
                status, content_type, body = _get(connection, authority, target)
                if status == 200:
                    file.write(body)
                    entries.append(Entry(target, content_type, len(body)))
    finally:
        connection.close()
    if not entries:
        raise UsageError("there is no page to measure with; raise --count")
    corpus = Corpus(str(folder), authority, entries)
    (folder / "index.json").write_bytes(msgspec.json.encode(corpus))
    return corpus


def _get(connection: HTTPConnection, authority: str, target: str) -> tuple[int, str, bytes]:
    connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", authority)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()
