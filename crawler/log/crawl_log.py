"""The crawl's log: what becomes of requests, a line each, as a sentence or as JSON; no text from the web forges one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception
from typing import Any, Literal, TextIO

import msgspec

from crawler.errors import FETCH_REASONS, FetchError
from crawler.log.terminal import duration, printable, printable_json, size
from crawler.models import Outcome, Request, Response

log = logging.getLogger("crawler")  # the host program's: level, handlers and propagation are its own
log.addHandler(logging.NullHandler())


class _RunsLogger(logging.Logger):
    """What the runs' own logs hang on: nobody else's configuration reaches it, and it reaches nobody else's."""

    def isEnabledFor(self, level: int) -> bool:
        """Whether a log is open that wants lines of this level; the library's own answer is remembered for too long."""
        return level >= self.level


_runs = _RunsLogger("crawler", logging.CRITICAL + 1)

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
MAX_DETAIL_CHARS = 500  # A detail that a library or a server gives is cut to this length; URLs stand whole.
_crawl: ContextVar[object] = ContextVar("crawl", default=None)  # whose lines are written, where several run at once
_levels: dict[object, int] = {}  # the level of each crawl that has a log open
_lock = threading.Lock()
NOTEWORTHY_PAUSE_S = 60.0  # a host that is left alone for longer is worth a line


def is_told(level: int) -> bool:
    """Whether a line of this level would be read by anybody."""
    return _runs.isEnabledFor(level) or log.isEnabledFor(level)


def tell(level: int, event: str, sentence: str, /, **fields: Any) -> None:
    """Write a line.

    Args:
        level: As `logging` has it.
        event: One word by which a program finds such lines.
        sentence: What people read.
        **fields: What a program reads, in JSON lines beside the sentence; None is left out.
    """
    extra = {"event": event, "fields": fields}
    if _runs.isEnabledFor(level):
        _runs.log(level, "%s", sentence, extra=extra)
    if log.isEnabledFor(level):  # whose handlers may show what the web sent as it is
        log.log(level, "%s", printable(sentence), extra=extra)


def tell_fault(sentence: str, error: BaseException) -> None:
    """Write a line about a fault of the crawler itself, with the traceback behind it."""
    extra = {"event": "fault", "fields": {}}
    _runs.error("%s", sentence, exc_info=error, extra=extra)
    lines = [line for part in format_exception(error) for line in part.splitlines()]
    log.error("%s", "\n    ".join(map(printable, [sentence, *lines])), extra=extra)


class EventLog:
    """Says what becomes of requests: a line for each failure, and what is wrong with a whole host only once."""

    def __init__(self) -> None:
        self._causes: dict[str, FetchError] = {}  # For each host, what kept its pages from being asked for.
        self._blamed: set[str] = set()  # hosts of which it was said
        self._files: set[str] = set()  # robots.txt and sitemaps of which it was said that they failed
        # For each host, the monotonic time until which it is left alone, as was said.
        self._pauses: dict[str, float] = {}

    def fetched(self, page: Response) -> None:
        """An answer came."""
        if not is_told(logging.DEBUG):
            return
        request, received = page.request, len(page.body)
        tell(
            logging.DEBUG,
            "fetched",
            f"{page.status} {request.url}: {size(received)} in {page.elapsed_s:.3f} s",
            **_facts(request),
            status=page.status,
            bytes=received,
            elapsed_ms=round(page.elapsed_s * 1000),
        )

    def retried(self, request: Request, reason: str, detail: str, wait_s: float) -> None:
        """A try has failed, and another one follows."""
        attempt = request.attempts + 1
        tell(
            logging.INFO,
            "retry",
            f"try {attempt} of {request.url}: {_cause(reason, detail)}; tried again after {wait_s:.1f} s or later",
            **_facts(request),
            reason=reason,
            detail=_short(detail),
            wait_s=round(wait_s, 1),
        )

    def ended(self, request: Request, outcome: Outcome, reason: str | None, detail: str = "") -> None:
        """A request that was sent has its outcome."""
        if outcome in ("ok", "redirect"):
            return
        level = logging.WARNING
        if request.kind == "robots":
            self._causes.pop(request.host, None)  # this is said now
        if request.kind != "page":  # asked for again and again
            level = logging.INFO if request.url in self._files else level
            self._files.add(request.url)
        tell(
            level,
            outcome,
            f"{outcome} {request.url}: {_cause(reason, detail)} (try {request.attempts + 1})",
            **_facts(request),
            reason=reason,
            detail=_short(detail),
        )

    def seed_left(self, seed: str, target: str, refusal: str) -> str:
        """A seed redirects to what does not belong to the crawl; returns the sentence that says so.

        Args:
            seed: What the user named.
            target: Where it leads.
            refusal: Which rule leaves that out, as `Scope.refusal` names it.
        """
        rule = {"scope": "by --scope", "exclude": "by --exclude", "too_long": "its URL is too long"}.get(
            refusal, refusal
        )
        sentence = f"the seed {seed} leads to {target}, outside of the crawl ({rule})"
        tell(logging.WARNING, "seed_left", sentence, url=seed, target=target, reason=refusal)
        return sentence

    def not_extracted(self, request: Request, fault: str) -> None:
        """Something could not be extracted from a page, for a reason that is new."""
        sentence = f"extract_error of {request.url}: {_short(fault)}; other pages with the same one are counted"
        tell(logging.WARNING, "extract_error", sentence, **_facts(request), reason=_short(fault))

    def unresolved(self, host: str, error: FetchError) -> None:
        """A host has no address now."""
        self._causes[host] = error
        if error.is_retryable:
            sentence = f"cannot resolve {host}: {_cause(error.reason, error.detail)}; tried again later"
            tell(logging.INFO, "unresolved", sentence, host=host, reason=error.reason, detail=_short(error.detail))

    def failed_try(self, host: str, error: FetchError) -> None:
        """A host did not answer; should it be given up, this was why."""
        self._causes[host] = error

    def dropped(self, request: Request, outcome: Outcome, reason: str) -> None:
        """A request gets its outcome without being sent; only the first one of a host that fails is a warning."""
        if outcome != "failed":
            level, sentence = logging.DEBUG, f"{outcome} {request.url}: {reason}"
        elif request.host in self._blamed:
            level, sentence = logging.INFO, f"failed {request.url}: {reason}"
        else:
            self._blamed.add(request.host)
            cause = self._causes.pop(request.host, None) or FetchError(
                reason, FETCH_REASONS.get(reason, ("", False))[0]
            )
            detail = cause.detail if cause.reason == reason else str(cause)
            rest = f"what else on {request.host} fails unasked is told at level info"
            sentence = f"failed {request.url}: {_cause(reason, detail)}; {rest}"
            tell(logging.WARNING, "host_failed", sentence, **_facts(request, 0), reason=reason, detail=_short(detail))
            return
        tell(level, outcome, sentence, **_facts(request, 0), reason=reason)

    def paused(self, host: str, until: float, now: float) -> None:
        """A host may not be asked before `until`, monotonic seconds; worth a line if that is long."""
        if until - now <= NOTEWORTHY_PAUSE_S or until <= self._pauses.get(host, now) + 1:
            return
        self._pauses[host] = until
        wait_s = until - now
        tell(logging.WARNING, "host_paused", f"{host} is left alone for {duration(wait_s)}", host=host, wait_s=wait_s)


def _facts(request: Request, more_attempts: int = 1) -> dict[str, Any]:
    kind = None if request.kind == "page" else request.kind
    return {"url": request.url, "host": request.host, "kind": kind, "attempt": request.attempts + more_attempts}


def _cause(reason: str | None, detail: str) -> str:
    return f"{reason}: {_short(detail)}" if detail and detail != reason else str(reason)


def _short(detail: str) -> str | None:
    return printable(detail, MAX_DETAIL_CHARS) if detail else None


class _Sentences(logging.Formatter):
    """No value in a message can forge a line of the log or reach a terminal as a control sequence."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record)} {record.levelname.lower()} "
        text = head + printable(record.getMessage())
        if record.exc_info:
            text += "".join("\n    " + printable(line) for line in self.formatException(record.exc_info).splitlines())
        return text


class _JsonLines(logging.Formatter):
    """One object a line: ts, level, event, message, run, and the fields of the event."""

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            "message": record.getMessage(),
            "run": self._run or None,
            **getattr(record, "fields", {}),
            "traceback": self.formatException(record.exc_info) if record.exc_info else None,
        }
        known = {name: _whole(value) for name, value in facts.items() if value is not None}
        return printable_json(msgspec.json.encode(known).decode())


def _whole(value: object) -> object:
    """Text that JSON can hold: lone surrogates, which no UTF-8 has, stand in it as escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


@contextmanager
def logging_to(
    target: Path | TextIO, level: LogLevel = "info", form: LogFormat = "text", also: TextIO | None = None
) -> Iterator[None]:
    """Write the crawler's log to a file or a stream while the context is open.

    Args:
        target: A file in a run's folder, which is appended to, or a stream.
        level: What is less than that is left out.
        form: How `target` is written.
        also: A stream that gets the same as sentences.
    """
    with ExitStack() as stack:
        if isinstance(target, Path):
            file = logging.FileHandler(target, encoding="utf-8", errors="backslashreplace")
            stack.callback(file.close)
            handlers: list[logging.Handler] = [file]
        else:
            handlers = [logging.StreamHandler(target)]
        run = target.absolute().parent.name if isinstance(target, Path) else ""
        handlers[0].setFormatter(_JsonLines(run) if form == "json" else _Sentences())
        if also is not None:
            handlers.append(logging.StreamHandler(also))
            handlers[1].setFormatter(_Sentences())
        crawl = stack.enter_context(_logged_crawl(getattr(logging, level.upper())))
        for handler in handlers:
            handler.setLevel(level.upper())
            # What has no crawl, because a thread of some library says it, stands in all logs.
            handler.addFilter(lambda record: _crawl.get() in (None, crawl))
            _runs.addHandler(handler)
            stack.callback(_runs.removeHandler, handler)
        yield


@contextmanager
def _logged_crawl(level: int) -> Iterator[object]:
    """Let the runs' logger pass what any of the crawls wants that are under way."""
    crawl = object()
    with _lock:
        _levels[crawl] = level
        _runs.setLevel(min(_levels.values()))
    token = _crawl.set(crawl)
    try:
        yield crawl
    finally:
        _crawl.reset(token)
        with _lock:
            del _levels[crawl]
            _runs.setLevel(min(_levels.values(), default=logging.CRITICAL + 1))
