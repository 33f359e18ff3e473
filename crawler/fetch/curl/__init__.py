"""The strategy `curl`: libcurl dials, speaks TLS and HTTP/2; HTTP/1.1 is read by the parser of all strategies.

`fetcher` is the strategy, `pool` keeps connections, `http1` and `http2` speak over them, `transfers` drives libcurl on
the event loop. Imports the rest of `fetch/`.
"""
