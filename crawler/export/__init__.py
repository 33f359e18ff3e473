"""Where records go: the journal that every run keeps, and the files that are made from it."""
