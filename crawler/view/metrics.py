"""The figures of a running crawl for Prometheus. Importing this needs prometheus_client."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from crawler.measure.ledger import STAGES
from crawler.version import VERSION
from crawler.view.live import Live

# The buckets end at these seconds, from the parsing of a small page to the longest wait of a polite crawl.
BUCKETS_S = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
# Each row has the name of a figure, the name of its metric and its help text.
_COUNTERS = (
    ("requests", "crawler_requests", "Requests sent, those for robots.txt and sitemaps among them"),
    ("retries", "crawler_retries", "Requests given back to be sent again"),
    ("bytes", "crawler_received_bytes", "Bytes of bodies as they came over the wire"),
    ("urls_known", "crawler_urls", "Distinct URLs that belong to the crawl, found in this session"),
    ("commits", "crawler_commits", "Commits of finished pages"),
)
_GAUGES = (
    ("at_s", "crawler_elapsed_seconds", "Seconds since the session began"),
    ("pending", "crawler_pending_urls", "URLs without an outcome"),
    ("hosts_met", "crawler_hosts", "Hosts that the crawl has come upon"),
    ("in_flight", "crawler_in_flight_requests", "Requests in flight, look-ups of hosts among them"),
    ("slots", "crawler_slots", "Requests that may be in flight to hosts that have answered before"),
    ("held_bytes", "crawler_held_bytes", "Bytes of bodies and records between download and commit"),
    ("hand_off_bytes", "crawler_hand_off_limit_bytes", "Bytes above which nothing new is asked for"),
    ("parsing", "crawler_parsing_pages", "Pages in the parse stage, those that wait for a worker among them"),
    ("workers", "crawler_parse_workers", "Pages that are parsed at the same time at most"),
    ("waiting_commit", "crawler_waiting_commit", "Finished requests that are not committed yet"),
)
_CPU = (("main_cpu_s", "main"), ("parse_cpu_s", "parse"), ("commit_busy_s", "commit"))


class CrawlCollector(Collector):
    """Reads the figures when they are asked for, so that nothing is counted twice.

    Args:
        live: The crawl.
    """

    def __init__(self, live: Live) -> None:
        self._live = live

    def collect(self) -> Iterator[Metric]:
        """All metrics, each with the values of this moment."""
        settings = self._live.engine.settings
        about = {"version": VERSION, "strategy": settings.fetch.strategy, "parser": settings.parse.parser}
        yield InfoMetricFamily("crawler", "The crawler and how it works", value=about)
        figures = self._live.figures()
        for key, name, text in _COUNTERS:
            yield CounterMetricFamily(name, text, value=figures[key])
        for key, name, text in _GAUGES:
            yield GaugeMetricFamily(name, text, value=figures[key])
        cpu = CounterMetricFamily("crawler_cpu_seconds", "CPU time; that of commit is also in main", labels=["part"])
        for key, part in _CPU:
            cpu.add_metric([part], figures[key])
        yield cpu
        yield from self._outcomes()
        yield self._stages()
        yield self._bottleneck()

    def _outcomes(self) -> Iterator[Metric]:
        ledger = self._live.engine.ledger
        pages = CounterMetricFamily("crawler_pages", "URLs that have their outcome", labels=["outcome"])
        for outcome, count in ledger.outcomes.items():
            pages.add_metric([outcome], count)
        yield pages
        answers = CounterMetricFamily("crawler_answers", "Answers to requests for pages", labels=["status"])
        for status, count in ledger.statuses.items():
            answers.add_metric([str(status)], count)
        yield answers

    def _stages(self) -> Metric:
        stages = HistogramMetricFamily("crawler_stage_seconds", "Time of a page in each stage", labels=["stage"])
        for name in STAGES:
            stage = self._live.engine.ledger.stage(name)
            # The ledger's own buckets are finer, and each counts where all of it belongs.
            known = stage.buckets()
            counts = [(end, sum(count for upper, count in known if upper <= end)) for end in BUCKETS_S]
            buckets = [(str(end), float(count)) for end, count in counts]
            stages.add_metric([name], [*buckets, ("+Inf", float(stage.count))], stage.total_s)
        return stages

    def _bottleneck(self) -> Metric:
        found = self._live.engine.ledger.bottleneck()
        bound = GaugeMetricFamily("crawler_bound", "The bottleneck of the crawl now", labels=["by"])
        bound.add_metric([found.bound_by], 1)
        return bound


class Metrics:
    """The answer to a scrape.

    Args:
        live: The crawl.
    """

    def __init__(self, live: Live) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(CrawlCollector(live))

    def write(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the format that an Accept field asks for, with their content type."""
        try:
            encoder, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # The field asks for a version that there is not.
            encoder, content_type = choose_encoder("")
        return encoder(self._registry), content_type
