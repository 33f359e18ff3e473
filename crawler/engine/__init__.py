"""The crawl itself: the one place that sees the whole pipeline.

`assembly` puts the parts together, `engine` starts, drives and stops them, `pipeline` takes one request from the
frontier to its outcome, `commit` makes outcomes durable. Imports everything below it.
"""
