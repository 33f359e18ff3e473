"""Benchmarks and comparisons: `crawler bench`, `crawler compare` and the demonstration.

Each measurement runs in a process of its own, on the lab. Imports everything; nothing imports it.
"""
