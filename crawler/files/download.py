"""A body on its way into a file: written as it arrives, and gone on with where an earlier try broke off.

Until it is whole a file is what came, byte for byte, so that a range of the rest fits behind it.
"""

from __future__ import annotations

import os
import re
import threading
from datetime import timedelta
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from crawler.errors import FetchError
from crawler.files.choice import FileChoice
from crawler.files.coding import codings_of
from crawler.files.folder import CHECK_BYTES, NOTE, PART, FileFolder, partial_name
from crawler.models import Headers

MAX_NOTE_BYTES = 64 * 1024
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]+"')  # RFC 9110, 8.8.3, as far as it is ASCII
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:([0-9]{1,18})|\*)", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_KEPT_FIELDS = ("content-type", "content-disposition", "etag", "last-modified")


class Note(Struct, frozen=True):
    """What has to be known of a partial file for its rest to be asked for.

    Args:
        url: Canonical URL.
        validator: The entity tag, or the date of the last change, that the rest must still have.
        total: Bytes of the whole, None if that was not said.
        headers: Fields that the answer with the rest may leave out.
    """

    url: str
    validator: str
    total: int | None
    headers: Headers


class Download:
    """The body of one answer on its way into a file; see `fetch.base.Sink`. It is made before the request is sent.

    Args:
        folder: Where it is written.
        choice: Which bodies are.
        max_bytes: How much is; the rest is cut off.
        url: Canonical URL that is asked for.

    Attributes:
        fields: Header fields to send along: a range, where an earlier try left something.
        failure: Why nothing more can be written, None if nothing is wrong.
        is_file: Whether the body goes into a file.
        received: Bytes that this try has written.
        is_refused: Whether the answer does not fit what was there, which is gone now; without it all would be well.
    """

    def __init__(self, folder: FileFolder, choice: FileChoice, max_bytes: int, url: str) -> None:
        self.url = url
        self.name = partial_name(url)
        self.is_file = False
        self.is_refused = False
        self.is_cut = False
        self.failure: OSError | None = None
        self.headers: Headers = ()
        self.size = 0
        self.received = 0
        self._total: int | None = None
        self._folder = folder
        self._choice = choice
        self._max_bytes = max_bytes
        self._unchecked = 0
        self._descriptor = -1
        self._is_closed = False
        self._lock = threading.Lock()  # a thread that was left behind may still want to write
        self._note = self._earlier()
        self.fields: Headers = ()
        if self._note is not None:
            self.fields = (("Range", f"bytes={self.size}-"), ("If-Range", self._note.validator))

    @property
    def is_whole(self) -> bool:
        """Whether all came that was announced, or as much as is wanted."""
        return self.is_cut or self._total is None or self.size == self._total

    def _earlier(self) -> Note | None:
        """What is known of the part that an earlier try left; sets how much of it counts."""
        size = self._folder.size(self.name + PART)
        if not size:
            return None
        try:
            note = msgspec.json.decode(self._folder.read(self.name + NOTE, MAX_NOTE_BYTES), type=Note)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if note.url != self.url or (note.total is not None and size > note.total):
            return None
        # A range behind the last byte would be refused, so the last byte of a whole file is asked for again.
        self.size = size - 1 if size == note.total else size
        return note if self.size else None

    # As the answer comes

    def open(self, status: int, headers: Headers) -> str:
        """Decide where the body goes: `file`, `page` for the parser's way, or else why it is not read.

        Raises:
            FetchError: If nothing can be written; `failure` tells why.
        """
        try:
            return self._open(status, Fields(headers))
        except OSError as error:
            raise self._failed(error) from error

    def _open(self, status: int, fields: Fields) -> str:
        note, self._note = self._note, None
        if note is not None and status in (206, 416):
            if status == 206 and self._continue(note, fields):
                return "file"
            self._folder.remove(self.name + PART, self.name + NOTE)
            self.is_refused = True
            return "type"
        self.size = 0
        if status not in (200, 203) or not self._choice.wants_file(self.url, fields.first("content-type")):
            return "page"
        announced = fields.length()
        if announced is not None and announced > self._max_bytes:
            return "length"
        self.headers, self._total = fields.all, announced
        self._folder.remove(self.name + NOTE)
        self._take(self._folder.create(self.name + PART))
        if (new := _note_of(self.url, fields, announced)) is not None:
            self._write_note(new)
        return "file"

    def _continue(self, note: Note, fields: Fields) -> bool:
        """Go on behind what is there, if the answer is the rest of it.

        Source: RFC 9110, 14.4 (Content-Range) and 15.3.7.3 (combining parts).
        """
        start, total = fields.range()
        said = fields.first("etag" if note.validator.startswith('"') else "last-modified")
        if start != self.size or said not in (None, note.validator) or codings_of(fields.every("content-encoding")):
            return False
        if note.total is not None and total not in (None, note.total):
            return False
        descriptor = self._folder.reopen(self.name + PART, self.size)
        if descriptor is None:
            return False
        self._take(descriptor)
        self._total = note.total if total is None else total
        left_out = tuple((name, value) for name, value in note.headers if fields.first(name) is None)
        self.headers = (*fields.all, *left_out)
        return True

    def _take(self, descriptor: int) -> None:
        with self._lock:
            if self._is_closed:
                os.close(descriptor)
                raise _gone()
            self._descriptor = descriptor
        self.is_file = True

    def _write_note(self, note: Note) -> None:
        descriptor = self._folder.create(self.name + NOTE)
        try:
            os.write(descriptor, msgspec.json.encode(note))
        finally:
            os.close(descriptor)

    def write(self, piece: bytes) -> bool:
        """Write a piece; True when the size limit cut it, and nothing more is wanted.

        Raises:
            FetchError: If it cannot be written; `failure` tells why.
        """
        room = self._max_bytes - self.size
        self.is_cut = len(piece) > room
        left = memoryview(piece)[:room]
        try:
            with self._lock:
                if self._is_closed:
                    raise _gone()
                while left:
                    written = os.write(self._descriptor, left)
                    left = left[written:]
                    self.size += written
                    self._unchecked += written
                    self.received += written
            if self._unchecked >= CHECK_BYTES:
                self._unchecked = 0
                self._folder.check_room()
        except OSError as error:
            raise self._failed(error) from error
        return self.is_cut

    def _failed(self, error: OSError) -> FetchError:
        self.failure = error
        return FetchError("no_resources", error.strerror or str(error))

    def close(self) -> None:
        """Write no more; what has come stays."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            self._is_closed = True


def _gone() -> FetchError:
    return FetchError("internal", "nobody waits for this download any more")


class Fields:
    """The header fields of an answer."""

    def __init__(self, headers: Headers) -> None:
        self.all = headers

    def every(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.all if key.lower() == name]

    def first(self, name: str) -> str | None:
        """The first value of a field, or None."""
        return next(iter(self.every(name)), None)

    def length(self) -> int | None:
        """What the body's length will be, None if that is not said."""
        text = self.first("content-length") or ""
        return int(text) if _LENGTH.fullmatch(text) and not self.every("transfer-encoding") else None

    def range(self) -> tuple[int | None, int | None]:
        """Where the part of a 206 begins and how long the whole is; None for what it does not say."""
        match = _RANGE.fullmatch(self.first("content-range") or "")
        if match is None:
            return None, None
        return int(match[1]), int(match[2]) if match[2] else None


def _note_of(url: str, fields: Fields, announced: int | None) -> Note | None:
    """What to note of a body so that its rest can be asked for; None where no validator is strong enough for that.

    Source: RFC 9110, 8.8.2.2 (when a date is a strong validator), 13.1.5 (If-Range) and 14.3 (Accept-Ranges).
    """
    ranges = (fields.first("accept-ranges") or "").lower()
    if ranges == "none" or codings_of(fields.every("content-encoding")):
        return None
    validator = fields.first("etag") or ""
    if not _STRONG_TAG.fullmatch(validator):
        validator = fields.first("last-modified") or ""
        if not _is_long_ago(validator, fields.first("date")):
            return None
    kept = tuple((name, value) for name in _KEPT_FIELDS for value in fields.every(name)[:1])
    return Note(url, validator, announced, kept)


def _is_long_ago(changed: str, now: str | None) -> bool:
    """Whether two dates, as header fields have them, are a minute or more apart."""
    if not (changed.isascii() and changed.isprintable()):
        return False
    try:
        return parsedate_to_datetime(now or "") - parsedate_to_datetime(changed) >= timedelta(seconds=60)
    except (TypeError, ValueError):
        return False
