"""`crawler compare`: the same work by every strategy and parse mode, and what follows from it."""
