"""`crawler compare`: the same work by every strategy and parse mode, and what follows from it.

Imports the rest of `bench/` and what that may import.
"""
