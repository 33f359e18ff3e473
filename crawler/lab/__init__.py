"""A seeded web on loopback: many hosts, links, sizes, latency, errors, traps, and the truth about all of it.

For tests, benchmarks and commands; no part of a crawl imports it, and it imports the floor only.
"""

from crawler.lab.answers import Answer, Truth, url
from crawler.lab.folder import FolderWorld
from crawler.lab.process import LabProcess, serve_folder, serve_in_process
from crawler.lab.server import Counts, LabServer
from crawler.lab.world import World, WorldSpec

__all__ = [
    "Answer",
    "Counts",
    "FolderWorld",
    "LabProcess",
    "LabServer",
    "Truth",
    "World",
    "WorldSpec",
    "serve_folder",
    "serve_in_process",
    "url",
]
