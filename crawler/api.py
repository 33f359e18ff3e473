"""The library: `crawl` blocks until the end, `stream` hands records out as they are committed."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import msgspec

from crawler.commands.session import run_session
from crawler.engine import assembly
from crawler.engine.ending import Ending
from crawler.engine.engine import Engine
from crawler.errors import UsageError
from crawler.export import formats
from crawler.models import Record
from crawler.run import folder as runs
from crawler.scope import seeds
from crawler.settings import file as settings_file
from crawler.settings.groups import GROUPS, Settings
from crawler.settings.keywords import ALIASES, Options


class Result:
    """What a crawl left.

    Args:
        run: Its folder.
        ending: How it ended.
        stats: Its figures, as in stats.json.
    """

    def __init__(self, run: runs.Run, ending: Ending, stats: Mapping[str, object]) -> None:
        self.folder: Path = run.folder
        self.ending = ending
        self.stats = stats
        self._run = run

    def __repr__(self) -> str:
        return f"<Result {self.folder} {self.ending.why} {self.stats.get('outcomes')}>"

    def records(self) -> Iterator[Record]:
        """All records, in the order in which they were committed."""
        return self._run.records(Record)


def crawl(urls: str | Sequence[str], *, run: str | Path = "", **options: Unpack[Options]) -> Result:
    """Crawl and wait for the end.

    Args:
        urls: Seeds, or a single one.
        run: Folder of the run; a new one under data/ if not given.
        **options: Any setting by its name, `strategy="threads"`, `max_pages=100`, `delay=2.0`; the `[extract.NAME]`
            tables as `rules={"price": {"css": ".price", "type": "number"}}`; as `extract`, also the function itself;
            as `outputs`, files that are made at the end.

    Raises:
        UsageError: If a seed or an option is wrong, or the folder holds a run.
        RunError: If the run's files cannot be written.
    """
    if _is_in_loop():
        raise UsageError(
            "crawl() blocks and cannot run inside an event loop; use `async for record in stream(…)` there"
        )
    chosen = options_to_settings(options)
    for name in chosen.output.outputs:
        formats.check(Path(name))
    given = seeds.read(_listed(urls), (), chosen.site, chosen.crawl.scope, io.BytesIO())
    assembly.check(chosen, given)
    folder = runs.create(str(run), chosen, given)
    session = run_session(chosen, folder, partial(_crawl, chosen, given, folder))
    if session.ending.error is not None:
        raise session.ending.error
    return Result(folder, session.ending, msgspec.to_builtins(session.stats))


def _listed(urls: str | Sequence[str]) -> Sequence[str]:
    return [urls] if isinstance(urls, str) else urls


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _crawl(chosen: Settings, given: seeds.Seeds, folder: runs.Run) -> tuple[Engine, Ending]:
    engine = assembly.build(chosen, given, folder)
    return engine, await engine.run([site.seed for site in given.sites])


async def stream(urls: str | Sequence[str], **options: Unpack[Options]) -> AsyncIterator[Record]:
    """Crawl on the running event loop and yield records as they are committed; nothing is kept on disk.

    Leaving the loop early ends the crawl.

    Args:
        urls: Seeds, or a single one.
        **options: As for `crawl`.

    Raises:
        UsageError: If a seed or an option is wrong.
        RunError: If the crawl cannot go on.
    """
    chosen = options_to_settings(options)
    if chosen.output.run or chosen.output.outputs or chosen.output.warc:
        raise UsageError("stream() keeps nothing on disk; run, outputs and warc are for crawl()")
    given = seeds.read(_listed(urls), (), chosen.site, chosen.crawl.scope, io.BytesIO())
    lines: asyncio.Queue[Sequence[bytes] | None] = asyncio.Queue()
    engine = assembly.build(chosen, given, None, lines.put_nowait)
    task = asyncio.ensure_future(engine.run([site.seed for site in given.sites]))
    task.add_done_callback(lambda _: lines.put_nowait(None))
    decoder = msgspec.json.Decoder(Record)
    try:
        while (batch := await lines.get()) is not None:
            for line in batch:
                yield decoder.decode(line)
        if (error := (await task).error) is not None:
            raise error
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def options_to_settings(options: Mapping[str, Any]) -> Settings:
    """Settings from the keyword arguments of the library, each put into the group that knows its name."""
    tables: dict[str, dict[str, Any]] = {}
    # The dashboard belongs to the command, whose process and signals are its own.
    groups = {group: type(getattr(Settings(), group)) for group in GROUPS if group != "dashboard"}
    for name, value in options.items():
        if name == "rules":
            tables["extract"] = value
            continue
        key = ALIASES.get(name, name)
        owners = [group for group, kind in groups.items() if key in kind.__struct_fields__]
        if not owners:
            known = [*ALIASES, *(each for kind in groups.values() for each in kind.__struct_fields__)]
            close = difflib.get_close_matches(name, known, n=1)
            raise UsageError(f"there is no option {name!r}" + (f"; did you mean {close[0]}?" if close else ""))
        tables.setdefault(owners[0], {})[key] = _extractor_name(value) if key == "extract" else value
    return settings_file.build(tables, where="the options")


def _extractor_name(extractor: object) -> object:
    """`module:function` of a function, by which the parse workers import it; what is none stays as it is."""
    if isinstance(extractor, Mapping):
        raise UsageError("extract is a function, or its name as module:function; give rules as rules={…}")
    if not callable(extractor):
        return extractor
    module, name = getattr(extractor, "__module__", None), getattr(extractor, "__qualname__", repr(extractor))
    if module in (None, "__main__") or not name.isidentifier():
        raise UsageError(
            f"extract={name}: the parse workers import the function by its name, and never your script;"
            " define it at the top level of a module of its own"
        )
    return f"{module}:{name}"
