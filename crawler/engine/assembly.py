"""Puts a crawl together: which fetcher, which pool, which store, by the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from crawler import urls
from crawler.engine import resume
from crawler.engine.downloads import Downloads
from crawler.engine.engine import Engine
from crawler.engine.parts import Parts
from crawler.errors import RunError, UsageError
from crawler.fetch import check as check_fetcher
from crawler.fetch import create as create_fetcher
from crawler.fetch import strategy_of
from crawler.fetch.archived import ArchivedAnswers
from crawler.fetch.base import ByteCount, Fetcher
from crawler.fetch.dial.guard import Guard, exempt_origins
from crawler.fetch.dial.proxy import find_proxy
from crawler.fetch.dial.resolve import Resolver
from crawler.fetch.dial.targets import Targets
from crawler.fetch.replay import NoResolver, ReplayFetcher
from crawler.files.choice import FileChoice
from crawler.files.finish import PageFiles
from crawler.frontier import robots
from crawler.models import Parsed, Response
from crawler.parse.options import ExtractOptions
from crawler.parse.stage import PageParser, StageContext, decode_parsed, encode_page
from crawler.parse.workers.base import ParsePool
from crawler.parse.workers.inprocess import InlinePool, ThreadPool
from crawler.parse.workers.pool import ProcessPool
from crawler.parse.workers.worker import WorkerSpec
from crawler.run.folder import Run
from crawler.scope.rewrite import rules_of
from crawler.scope.scope import Scope, scope_of
from crawler.scope.seeds import Seeds
from crawler.settings.groups import ParseSettings, Settings, cores
from crawler.store.archive import Archive
from crawler.store.base import Store
from crawler.store.in_progress import InProgress
from crawler.store.journal import Journal
from crawler.store.memory import MemoryStore
from crawler.store.sqlite import SqliteStore


def build(
    settings: Settings,
    seeds: Seeds,
    run: Run | None,
    on_lines: Callable[[Sequence[bytes]], None] = lambda lines: None,
    before: Settings | None = None,
    store: Store | None = None,
) -> Engine:
    """Make an engine with all its parts, on the event loop that will run it; running it closes them.

    Args:
        settings: All settings.
        seeds: What to crawl.
        run: Where the journal goes; None keeps nothing.
        on_lines: Called with the records' lines after each commit.
        before: The settings that the run was started with, if it goes on; None if it begins.
        store: What survives the crawl; None for the run's own state, or for a store in memory if there is no run.

    Raises:
        UsageError: If settings do not fit together.
        RunError: If the run's files cannot be opened.
    """
    scope = scope_of(seeds.sites, settings.crawl)
    held = ByteCount()
    guard, targets = _addressing(settings, seeds)
    context = _context(settings, scope, run)
    engine: Engine

    def fatal(error: RunError) -> None:
        engine.fail(error)

    store = store or _store(run, is_new=before is None)
    journal, archive = _outputs(settings, store, run)
    fetcher = _fetcher(settings, guard, held)
    downloads = _downloads(settings, fetcher, run)
    parts = Parts(
        fetcher=downloads or fetcher,
        pool=parse_pool(settings.parse, context, fatal),
        store=store,
        journal=journal,
        archive=archive,
        in_progress=None if run is None else InProgress(run.in_progress),
        targets=targets,
        held=held,
        downloads=downloads,
    )
    engine = Engine(settings, scope, parts, partial(resume.prepare, before=before or settings), on_lines)  # for `fatal`
    return engine


def check(settings: Settings, seeds: Seeds) -> None:
    """Find out before a run begins whether its settings fit together.

    Raises:
        UsageError: If a library is missing, or an address, a network, a header, an extractor or what is to be
            replayed cannot be used.
    """
    check_fetcher(settings.fetch.strategy)
    _addressing(settings, seeds)
    _wanted(settings)
    fetch = settings.fetch
    if strategy_of(fetch.strategy).replays:
        if not fetch.replay:
            raise UsageError(f"--strategy {fetch.strategy} needs --replay PATH, the pages to answer from")
        _archived_run(fetch.replay)
    elif fetch.replay:
        raise UsageError("--replay answers no request of another strategy; add --strategy replay")


def _addressing(settings: Settings, seeds: Seeds) -> tuple[Guard, Targets]:
    origins = settings.fetch.named_origins or [urls.origin(site.seed) for site in seeds.sites]
    guard = Guard(settings.fetch.allow_private, exempt_origins(f"{origin}/" for origin in origins))
    find_proxy(
        settings.fetch.proxy, settings.fetch.resolve, guard
    )  # the fetcher finds it again; here a mistake is found
    replays = strategy_of(settings.fetch.strategy).replays
    resolver = NoResolver() if replays else Resolver(settings.fetch.resolve, settings.fetch.dns_timeout_s)
    return guard, Targets(settings.fetch, resolver, guard, frozenset(origins))


def _context(settings: Settings, scope: Scope, run: Run | None) -> StageContext:
    """What the parse stage has to know of the crawl."""
    crawl = settings.crawl
    return StageContext(
        scope=scope,
        parser=settings.parse.parser,
        max_body_bytes=settings.fetch.max_body_bytes,
        max_links=crawl.max_links_per_page,
        nofollow=crawl.nofollow,
        rules=rules_of(crawl),
        wanted=_wanted(settings),
        keep=_keep(settings, run),
    )


def _store(run: Run | None, *, is_new: bool) -> Store:
    if run is None:
        return MemoryStore()
    # A run that was killed before its state was made has not lost anything yet.
    is_new = is_new or not (run.state.exists() or (run.journal.exists() and run.journal.stat().st_size))
    return SqliteStore(run.state, is_new=is_new)


def _outputs(settings: Settings, store: Store, run: Run | None) -> tuple[Journal | None, Archive | None]:
    """The run's outputs; whatever lies behind a committed length was written by a commit that did not happen."""
    if run is None:
        return None, None
    journal = Journal(run.journal, store.output_length(run.journal.name))
    if not settings.output.warc:
        return journal, None
    return journal, Archive(Journal(run.warc, store.output_length(run.warc.name)), settings)


def _fetcher(settings: Settings, guard: Guard, held: ByteCount) -> Fetcher:
    fetch = settings.fetch
    if strategy_of(fetch.strategy).replays and (archived := _archived_run(fetch.replay)) is not None:
        return ReplayFetcher(ArchivedAnswers(archived.warc, archived.committed_length(archived.warc)), held)
    return create_fetcher(fetch.strategy, settings, guard, held)


def _downloads(settings: Settings, fetcher: Fetcher, run: Run | None) -> Downloads | None:
    """The fetcher that saves files, where any are wanted."""
    output = settings.output
    if not (output.files or output.save_html):
        return None
    if run is None:
        raise UsageError("--files and --save-html need the folder of a run to save into")
    choice = FileChoice(output.files, output.save_html)
    return Downloads(fetcher, run.folder, choice, output.max_file_bytes, output.min_free_bytes)


def _keep(settings: Settings, run: Run | None) -> Callable[[str, str | None, bytes], str | None] | None:
    """What saves HTML pages where they are parsed; None where none are wanted."""
    choice = FileChoice(settings.output.files, settings.output.save_html)
    return None if run is None or not choice.has_pages else PageFiles(run.folder.absolute(), choice).keep


def _archived_run(replay: str) -> Run | None:
    """The run whose WARC is to be replayed; None where a folder of files is, or a WARC by itself."""
    run = Run(Path(replay))
    if not run.settings.exists():
        return None
    if not run.warc.exists():
        raise UsageError(f"{replay} has no {run.warc.name} to replay: it was not crawled with --warc")
    return run


def parse_pool(
    settings: ParseSettings,
    context: StageContext,
    on_fatal: Callable[[RunError], None],
    encode: Callable[[Response], Sequence[bytes]] = encode_page,
    decode: Callable[[bytes], Parsed] = decode_parsed,
) -> ParsePool:
    """Make the pool of parse workers that the settings name.

    Args:
        settings: Where pages are parsed, by how many workers, and the limits of one page.
        context: What every worker knows.
        on_fatal: Told once when worker processes cannot be started at all.
        encode, decode: How a page goes to a worker process and its answer comes back; a measurement may time them.
    """
    workers = settings.workers or cores()
    if settings.mode == "inline":
        return InlinePool[Response, Parsed](_in_process, context)
    if settings.mode == "threads":
        return ThreadPool[Response, Parsed](_in_process, context, workers)
    spec = WorkerSpec(
        factory="crawler.parse.stage:PageWork",
        context=context,
        cpu_limit_s=settings.cpu_limit_s,
        memory_limit_bytes=settings.memory_limit_bytes,
        recycle_growth_bytes=settings.recycle_growth_bytes,
        recycle_jobs=settings.recycle_pages,
    )
    return ProcessPool[Response, Parsed](spec, encode, decode, workers, settings.wall_limit_s, on_fatal)


def _wanted(settings: Settings) -> ExtractOptions:
    """What is wanted of pages besides text and links; UsageError if it cannot be had."""
    parse = settings.parse
    wanted = ExtractOptions(
        metadata=parse.metadata,
        images=parse.images,
        link_details=parse.link_details,
        simhash=parse.simhash,
        article=parse.article_format if parse.article else None,
        rules=settings.extract,
        function=parse.extract,
        embedded=FileChoice(settings.output.files).wants_embedded if settings.output.files else None,
        names=("robots", robots.product_token(settings.fetch.user_agent)),
    )
    if wanted.has_extractors:
        import_module("crawler.parse.extract.extractors").check(
            wanted
        )  # parsers, which this process has no other use for
    return wanted


def _in_process(context: object) -> Callable[[Response], Parsed]:
    assert isinstance(context, StageContext)
    return PageParser(context).parse
