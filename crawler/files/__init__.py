"""Bodies that are saved as files: which ones, where to, under which names.

`choice` decides what is wanted, `download` writes a body as it arrives and goes on with one that broke off, `folder`
and `names` say where it goes, `finish` gives it its lasting name. Imports the floor only.
"""
