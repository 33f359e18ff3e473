"""The event log, and text made safe for terminals.

`crawl_log` writes what happens as lines of text or JSON; `terminal` prints what came from the web without letting it
steer the terminal. Part of the floor: it imports errors and models, and everybody may import it.
"""
