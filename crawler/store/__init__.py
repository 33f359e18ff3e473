"""What survives a crawl: the state of every URL, the journal of records, the archive of answers.

The only place with SQL on a run's state. `base` is the interface that a crawl, a resume and readers use; `memory` and
`sqlite` implement it. `journal`, `batches` and `archive` are the outputs that are committed with it. Imports settings
and the floor.
"""
