"""What each command does, from its arguments to its exit status.

`session` runs a crawl to its end, for the command line and for the library. Imports everything but the benchmarks.
"""
