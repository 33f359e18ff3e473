"""A concurrent web crawler: fetching waits for the network, parsing burns CPU, and each gets what it needs."""

__version__ = "0.1.0"
