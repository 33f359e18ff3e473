"""What a crawl counts and times, and what it concludes: bottleneck and advice.

`ledger` is fed by the engine; `bottleneck` and `advice` judge its evidence; `sampler` keeps a timeline. Imports
frontier (for its decisions), fetch (for traits of strategies), settings and the floor.
"""
