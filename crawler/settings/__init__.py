"""Settings: declared once, read from TOML and from the command line.

`groups` declares each setting with its type, range, default, flag and help text; `file` reads and writes TOML files of
them; `options` makes command-line options of them. Imports the floor, and `files` to check what is to be saved.
"""
