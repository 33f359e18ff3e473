"""From the bytes of a page to its record: decoding, HTML, links, metadata, sitemaps.

`stage` is what happens to one page in a worker. Runs in worker processes and knows no network and no store. Imports
scope and the floor.
"""
