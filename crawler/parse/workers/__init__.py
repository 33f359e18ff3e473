"""Where pages are parsed: worker processes with their supervisor, threads, or the event loop itself.

`base` is the interface, `pool` supervises the processes of `worker`, `inprocess` has the other two. It moves jobs and
knows no HTML. Imports the floor only.
"""
