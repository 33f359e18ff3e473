"""A run's folder, its lock and its checks, and runs that are made of other runs.

`folder` names the files and makes them, `verify` checks that nothing is lost or twice, `reparse` makes a run out of the
answers of another. Imports store, scope, settings and the floor.
"""
