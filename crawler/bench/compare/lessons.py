"""The three lessons about concurrency in Python, with the figures of this machine and whether they bear it out."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.bench.compare.figures import Alone, CompareConditions, Lesson, Row, alone_of
from crawler.bench.text import percent
from crawler.fetch import strategy_of

OVERLAPS = 2.0  # Waits overlap where a strategy is so many times as fast as one by one.
NO_GAIN = 1.25  # Threads do not help where they are at most so many times as fast.
GAIN = 1.25  # Processes help where they are at least so many times as fast.
_NO_SHOW = "Here and now it does not show: "


def draw(about: CompareConditions, rows: Sequence[Row], alone: Sequence[Alone]) -> list[Lesson]:
    """The lessons that can be drawn from what was measured.

    Args:
        about: What was compared, where and how.
        rows: Whole crawls.
        alone: The parse stage.
    """
    return [_waiting(about, rows), _threads(about, alone), _processes(about, alone)]


def _waiting(about: CompareConditions, rows: Sequence[Row]) -> Lesson:
    # Parsed inline, so that the rows differ in nothing but how they wait.
    inline = [row for row in rows if row.parse == "inline"]
    alone = next(row for row in inline if strategy_of(row.strategy).is_one_at_a_time)
    others = [row for row in inline if not strategy_of(row.strategy).is_one_at_a_time]
    wait_s, took_s = about.pages * about.latency_ms / 1000, about.pages / alone.per_s.median
    took = ", ".join(f"{row.strategy} {about.pages / row.per_s.median:.2f} s" for row in others)
    shows = all(row.speedup >= OVERLAPS for row in others)
    said = (
        f"Each answer comes after {about.latency_ms:,.4g} ms. One by one, {about.pages:,} of them are {wait_s:.2f} s "
        f"of waiting; sequential took {took_s:.2f} s and computed for {percent(alone.computing)} of it. With "
        f"{about.concurrency} under way the waits overlap: {took}, of the same pages."
    )
    if not shows:
        said += f" {_NO_SHOW}there is too little waiting in it, so what binds is computing (raise --latency)."
    return Lesson("Threads and the event loop overlap waiting", shows, said)


def _threads(about: CompareConditions, alone: Sequence[Alone]) -> Lesson:
    inline, threads = alone_of(alone, "bs4", "inline"), alone_of(alone, "bs4", "threads")
    assert inline is not None
    assert threads is not None
    shows = threads.speedup <= NO_GAIN
    workers = "1 thread" if about.cores == 1 else f"{about.cores} threads"
    said = (
        f"BeautifulSoup parses {inline.per_s.median:.3g} pages/s on the event loop and {threads.per_s.median:.3g} in "
        f"{workers} ({threads.speedup:.2f} times as many): one thread at a time has the interpreter's lock (GIL) and "
        "runs Python."
    )
    if not shows:
        said += f" {_NO_SHOW}figures of a busy machine vary; run it again when nothing else runs."
    return Lesson("Threads do not speed up parsing", shows, said)


def _processes(about: CompareConditions, alone: Sequence[Alone]) -> Lesson:
    title = "Processes do, at a price"
    inline, apart = alone_of(alone, "bs4", "inline"), alone_of(alone, "bs4", "processes")
    assert inline is not None
    assert apart is not None
    assert apart.ready_s is not None
    price = (
        f"The price: the first answer of the last worker comes {apart.ready_s.median:.2f} s after the start, and every "
        f"page costs the main process {apart.price_us:.0f} µs ({apart.packing_us:.0f} packing, {apart.passing_us:.0f} "
        f"sending and receiving, {apart.unpacking_us:.0f} unpacking)."
    )
    if about.cores == 1:
        return Lesson(title, False, f"This machine has one core, so this lesson cannot show. {price}")
    said = (
        f"In {about.cores} processes on {about.cores} cores it parses {apart.per_s.median:.3g} pages/s, "
        f"{apart.speedup:.2f} times as many as inline. {price}"
    )
    if apart.speedup < GAIN:
        said += f" {_NO_SHOW}the cores are busy with something else, or the pages are too small."
        return Lesson(title, False, said)
    saved_s = 1 / inline.per_s.median - 1 / apart.per_s.median
    said += f" It is earned back after {apart.ready_s.median / saved_s:,.0f} pages with BeautifulSoup"
    light, light_apart = alone_of(alone, "lexbor", "inline"), alone_of(alone, "lexbor", "processes")
    if light is not None and light_apart is not None and light_apart.ready_s is not None and light_apart.speedup > 1:
        saved_s = 1 / light.per_s.median - 1 / light_apart.per_s.median
        times = light.per_s.median / inline.per_s.median
        said += (
            f", and after {light_apart.ready_s.median / saved_s:,.0f} with lexbor, which is {times:.0f} times as fast"
        )
    return Lesson(title, True, said + ".")
