"""Files made of a run's records: JSON lines, CSV, Parquet and SQLite, chosen by suffix.

`formats` has the table of them; `selection` and `where` choose records, `columns` takes the types from the record.
Imports store (the journal) and the floor.
"""
