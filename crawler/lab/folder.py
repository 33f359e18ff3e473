"""A folder of files served as a web, for crawls of pages that real tools wrote."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

from crawler.errors import UsageError
from crawler.lab.answers import Answer

# Fixed here, because the system's own table differs from machine to machine. Pages declare their encoding themselves.
CONTENT_TYPES = {
    ".css": "text/css",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".rst": "text/plain",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
    ".zip": "application/zip",
}
_NOT_FOUND = Answer(404, (("Content-Type", "text/plain"),), b"no such file\n")


class FolderWorld:
    """The files below a folder, the same under every host name.

    Args:
        root: The folder; links that lead out of it are not followed.
        latency_s: Time before an answer, seconds.

    Raises:
        UsageError: If there is no such folder.
    """

    def __init__(self, root: Path, latency_s: float = 0.0) -> None:
        if not root.is_dir():
            raise UsageError(f"{root} is no folder that could be served")
        self.root = root.resolve()
        self._latency_s = latency_s

    def answer(self, authority: str, target: str) -> Answer:
        """The file at a path: index.html for a folder, a redirect to the slash where a folder's path has none.

        Args:
            authority: Value of the Host header; all are the same here.
            target: Path and query; the query plays no part.
        """
        path, mark, query = target.partition("?")
        segments = [segment for segment in unquote(path).split("/") if segment not in ("", ".")]
        if ".." in segments or "\0" in path or "%00" in path:
            return _NOT_FOUND
        try:
            found = self.root.joinpath(*segments).resolve()
            if not found.is_relative_to(self.root):
                return _NOT_FOUND
            if found.is_dir():
                if not path.endswith("/"):
                    location = "".join(f"/{quote(segment)}" for segment in segments) + "/" + mark + query
                    return Answer(301, (("Location", location),))
                found /= "index.html"
            elif path.endswith("/"):
                return _NOT_FOUND
            body = found.read_bytes()
        except OSError:
            # It is missing or forbidden, or the file system cannot have such a name.
            return _NOT_FOUND
        kind = CONTENT_TYPES.get(found.suffix.lower(), "application/octet-stream")
        return Answer(200, (("Content-Type", kind),), body, self._latency_s)
