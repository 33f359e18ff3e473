"""What is seen of a crawl while it runs: terminal, dashboard, metrics, and the summary at its end.

Reads the engine and never steers it, but for the stop button. Imports engine and what stands below it.
"""
